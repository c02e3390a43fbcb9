// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLink

// How `list`, `tree` and `unload` show a loaded program.

extension ProgramGraph.Node {
    /// `17: kprobe on_rename`
    var title: String { "\(info.id): \(info.type) \(info.name.isEmpty ? "(unnamed)" : info.name)" }

    /// Where it is pinned and attached, and who holds it, one line each.
    var placeLines: [String] {
        pins.map { "pinned at \($0)" } + linkPins.map { "attached, pinned at \($0)" }
            + processes.map(\.words)
    }

    /// What it calls in a provider, for the labels of a graph.
    func functions(from provider: UInt32) -> [String] {
        imports.filter { $0.providerID == provider }.map(\.label)
            + copied.filter { $0.providerID == provider }.map { "\($0.function) (\($0.isPassedOn ? "passed on" : "copy"))" }
    }

    /// What it does with the functions of a provider: `calls record, has copies of clamp, reset`.
    func uses(of provider: UInt32) -> String {
        let copied = copied.filter { $0.providerID == provider }
        let uses = [
            ("calls", imports.filter { $0.providerID == provider }.map(\.label)),
            ("has copies of", copied.filter { !$0.isPassedOn }.map(\.function)),
            ("passes on copies of", copied.filter(\.isPassedOn).map(\.function)),
        ]
        return uses.filter { !$0.1.isEmpty }.map { "\($0.0) \($0.1.joined(separator: ", "))" }.joined(separator: ", ")
    }

    /// What it offers, one line each.
    var offerLines: [String] {
        (exports + copies).map(\.offerWords)
    }

    /// The code that it calls in other programs, one line each, as far as the kernel tells.
    var imageLines: [String] {
        imports.compactMap { wanted in wanted.image.map { "runs \(wanted.function ?? "(unknown)") \($0.words)" } }
    }

    var json: JSONValue {
        .object([
            "id": .integer(info.id), "name": .string(info.name), "type": .string("\(info.type)"), "tag": .string(info.tag),
            "maps": .array(info.mapIDs.map { .integer($0) }), "verified_insns": .integer(info.verifiedInstructions),
            "jited_bytes": .integer(info.jitedLength), "pins": .array(pins.map(JSONValue.string)),
            "attachment_pins": .array(linkPins.map(JSONValue.string)),
            "processes": .array(processes.map(\.json)),
            "exports": .array(exports.map { json(for: $0) }),
            "copies": copies.isEmpty ? nil : .array(copies.map { json(for: $0) }),
            "environments": info.exports.isEmpty ? nil : environmentsJSON,
            "exports_bytes": exports.isEmpty ? nil : .integer(info.exportsSize),
            "imports": .array(imports.map(\.json) + copied.map(\.json)),
            "importers": .array(importers.map { .integer($0) }),
        ])
    }

    /// An export with what the kernel knows of it.
    private func json(for export: ProviderExport) -> JSONValue {
        let facts = facts(of: export)
        return .object([
            "name": .string(export.name), "prototype": .string("\(export.prototype)"),
            "verify": export.verification == .chain ? .string("chain") : nil,
            "stack_bytes": facts.map { .integer($0.stackDepth) }, "frames": facts.map { .integer($0.frames) },
        ])
    }
}

extension CopiedFunction {
    /// `has a copy of record from id 17 (library)`
    var words: String {
        "\(isPassedOn ? "passes on copies" : "has a copy") of \(function) "
            + (providerID.map { "from id \($0) (\(providerName))" } ?? "of \(providerName), which is no longer loaded")
    }

    var json: JSONValue {
        .object([
            "name": .string(function),
            "provider": providerID.map { .object(["id": .integer($0), "name": .string(providerName)]) } ?? .null,
            "copy": .bool(true), "passed_on": isPassedOn ? .bool(true) : nil,
            "object": providerID == nil ? .string(providerName) : nil,
        ])
    }
}

extension ProcessHolder {
    var words: String { "\(isOfProgram ? "held" : "attached") by process \(process) (\(command))" }

    var json: JSONValue {
        .object(["pid": .integer(process), "command": .string(command), "attachment": isOfProgram ? nil : .bool(true)])
    }
}
