// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import ArgumentParser
import BPFLink

/// `bpflink header`
public struct HeaderCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "header", _superCommandName: "bpflink",
        abstract: "Write a C header with the declarations of what a library exports.",
        discussion: """
            The header has the types that callers need, each behind a guard (bpflink_struct_NAME, …) that can be defined before \
            it is included if the type comes from elsewhere. Types of the running kernel are left to vmlinux.h where that is \
            included first.
            """)

    @Argument(
        help: ArgumentHelp(
            "An object file, or a loaded library: an FD, id=42, pinned=/sys/fs/bpf/library, name=library, tag=….",
            valueName: "ref|object"), completion: .file())
    var library: String

    @Option(help: ArgumentHelp("The include guard.", valueName: "name"))
    var `guard`: String?

    @OptionGroup var common: CommonOptions

    public init() {}

    public func run() throws {
        try common.report {
            let (functions, header) = try ProgramSelector(library).map(ofProgram) ?? ofObject()
            let text = header.text.hasSuffix("\n") ? String(header.text.dropLast()) : header.text
            return Report(
                text: text,
                json: .object([
                    "library": .string(library), "exports": .array(functions.map { LoadCommand.json(for: $0.name, $0) }),
                    "header": .string(header.text),
                ]))
        }
    }

    private func ofProgram(_ selector: ProgramSelector) throws -> ([Prototype], ExternHeader) {
        try Capabilities.ofThisProcess().check(selector.actions + [.lookUp])
        let program = try OpenProgram.open(selector)
        let functions = try program.providerSnapshot(namedAs: selector).exports.map(\.prototype)
        return try header(functions, program.btfBytes() ?? [], name: program.info.name)
    }

    private func ofObject() throws -> ([Prototype], ExternHeader) {
        let object = try ObjectFile.read(library)
        guard let btf = object.btfBytes, !object.exports.isEmpty else {
            throw Diagnostic(
                code: "no-exports", "\(library) exports no function",
                help: ["global functions of .text are exported; static and hidden ones, and programs, are not"])
        }
        let file = library.split(separator: "/").last.map(String.init) ?? library
        return try header(object.exports.map(\.prototype), btf, name: String(file.prefix { $0 != "." }))
    }

    private func header(_ functions: [Prototype], _ btf: [UInt8], name: String) throws -> ([Prototype], ExternHeader) {
        let kernel = KernelTypeNames.ofRunningKernel()
        let header = try ExternHeader(
            functions, btf: btf, source: name, guard: `guard` ?? "\(name)_exports_h".uppercased(), kernel: kernel)
        return (functions, header)
    }
}
