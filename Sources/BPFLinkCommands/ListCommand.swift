// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import ArgumentParser
import BPFKernel
import BPFLinker

/// `bpflink list`
public struct ListCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the loaded programs that export or import functions.")

    @Flag(help: "Show programs that neither export nor import, too.")
    var all = false

    @OptionGroup var common: CommonOptions

    public init() {}

    public func run() throws {
        try common.report {
            try Capabilities.ofThisProcess().check([.lookUp])
            var names = ImportNames()
            var lines: [String] = []
            var values: [JSONValue] = []
            for program in try OpenProgram.all() {
                let info = program.info
                guard all || !info.exports.isEmpty || !info.imports.isEmpty else { continue }
                let exports = try program.exports()
                let imports = try names.imports(of: info)
                lines.append("\(info.id): \(info.type) \(info.name.isEmpty ? "(unnamed)" : info.name), tag \(info.tag)")
                lines += exports.map { "  exports \($0.prototype)" }
                lines += imports.map { "  imports \($0.function ?? "(unknown)") from id \($0.providerID) (\($0.providerName))" }
                values.append(Self.json(info, exports, imports))
            }
            return Report(text: lines.joined(separator: "\n"), json: .object(["programs": .array(values)]))
        }
    }

    private static func json(_ info: ProgramInfo, _ exports: [ProviderExport], _ imports: [ProgramImport]) -> JSONValue {
        .object([
            "id": .integer(info.id), "name": .string(info.name), "type": .string("\(info.type)"), "tag": .string(info.tag),
            "maps": .array(info.mapIDs.map { .integer($0) }), "verified_insns": .integer(info.verifiedInstructions),
            "jited_bytes": .integer(info.jitedLength),
            "exports": .array(exports.map { LoadCommand.json(for: $0.name, $0.prototype) }),
            "imports": .array(
                imports.map {
                    .object([
                        "name": $0.function.map(JSONValue.string) ?? .null,
                        "provider": .object(["id": .integer($0.providerID), "name": .string($0.providerName)]),
                    ])
                }),
        ])
    }
}
