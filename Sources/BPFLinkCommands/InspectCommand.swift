// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import ArgumentParser
import BPFLink

/// `bpflink inspect`
public struct InspectCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "inspect", _superCommandName: "bpflink",
        abstract: "Show what an object exports, imports and runs, and what each function uses; needs no privilege and no kernel.")

    @Argument(help: ArgumentHelp("The object file.", valueName: "object"), completion: .file())
    var object: String

    @OptionGroup var common: CommonOptions

    public init() {}

    public func run() throws {
        try common.report {
            let object = try ObjectFile.read(self.object)
            let functions = InspectedFunction.all(of: object)
            return Report(text: Self.text(object, functions), json: Self.json(object, functions))
        }
    }

    /// The program's type in libbpf's words.
    private static func type(of program: EntryProgram) -> String? {
        SectionType(section: program.sectionName).map { "\($0.program)" }
    }

    // MARK: For people

    private static func text(_ object: Object, _ functions: [InspectedFunction]) -> String {
        var lines = [summary(object)]
        func section(_ title: String, _ body: [String]) {
            if !body.isEmpty { lines += ["", title + ":"] + body.map { "  " + $0 } }
        }
        section("exports", object.exports.filter { $0.function.role == .exported }.map { "\($0.prototype)" })
        section("bodies, verified with each importer", object.exports.filter { $0.function.role == .body }.map { "\($0.prototype)" })
        section("imports", object.imports.flatMap(text))
        section(
            "entry programs",
            object.entryPrograms.map {
                "\($0.name): section \($0.sectionName), " + (type(of: $0).map { "type \($0)" } ?? "of no known type")
            })
        section("functions", functions.flatMap(\.lines))
        return lines.joined(separator: "\n")
    }

    private static func summary(_ object: Object) -> String {
        "\(object.name): " + (object.isLibrary ? "library" : "programs") + ", "
            + (object.license.map { "license \($0)" } ?? "no license")
    }

    private static func text(_ wanted: Import) -> [String] {
        ["\(wanted.prototype)" + (wanted.isWeak ? " (weak)" : "") + (wanted.isMarked ? " (verified with the program)" : "")]
            + wanted.sites.map { site in
                switch site.use {
                case .call: "  called by \(site)"
                case .address: "  address taken by \(site)"
                }
            }
    }

    // MARK: For programs

    private static func json(_ object: Object, _ functions: [InspectedFunction]) -> JSONValue {
        .object([
            "object": .string(object.name), "license": object.license.map(JSONValue.string) ?? .null,
            "library": .bool(object.isLibrary),
            "exports": .array(
                object.exports.map { LoadCommand.json(for: $0.name, $0.prototype, $0.function.role == .body ? .chain : .once) }),
            "imports": .array(object.imports.map(json)),
            "programs": .array(
                object.entryPrograms.map {
                    .object([
                        "name": .string($0.name), "section": .string($0.sectionName),
                        "type": type(of: $0).map(JSONValue.string) ?? .null,
                    ])
                }),
            "functions": .array(functions.map(\.json)),
        ])
    }

    private static func json(_ wanted: Import) -> JSONValue {
        .object([
            "name": .string(wanted.name), "prototype": .string("\(wanted.prototype)"), "weak": .bool(wanted.isWeak),
            "verify": wanted.isMarked ? .string("chain") : nil,
            "sites": .array(wanted.sites.map(JSONValue.init)),
        ])
    }
}

extension JSONValue {
    /// A place that uses an import.
    init(_ site: ImportSite) {
        self = .object([
            "use": .string(site.use.rawValue), "function": .string(site.function), "section": .string(site.sectionName),
            "instruction": .integer(site.instruction.value), "file": site.source.map { .string($0.file) },
            "line": site.source.map { .integer($0.line) },
        ])
    }
}
