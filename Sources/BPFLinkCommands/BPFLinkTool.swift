// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import ArgumentParser
import BPFLink
import SystemPackage

/// `bpflink`
public struct BPFLinkTool: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "bpflink",
        abstract: "Link, load and inspect BPF programs that call functions of other loaded programs by FD and name.",
        discussion: "Exit status: 0 done, 1 the link or load failed, 64 wrong usage; with --exec, the command's.",
        version: "bpflink \(Version.number)\nlibbpf \(Version.libbpf)",
        subcommands: [
            LoadCommand.self, InspectCommand.self, HeaderCommand.self, ListCommand.self, TreeCommand.self, UnloadCommand.self,
        ])

    public init() {}

    /// Runs the command line.
    ///
    /// - Parameter arguments: without the program's own name.
    public static func start(_ arguments: [String]) {
        let arguments = LoadCommand.separatingCommand(in: AttachTarget.completingBareOptions(in: arguments))
        do {
            var command = try parseAsRoot(arguments)
            try command.run()
        } catch {
            if exitCode(for: error) == .validationFailure, asksForJSON(arguments) {
                let usage = Diagnostic(code: "usage", message(for: error))
                CommonOptions.write(Diagnostics([usage]).json.text() + "\n", to: .standardOutput)
                exit(withError: ExitCode.validationFailure)
            }
            exit(withError: error)
        }
    }

    /// Whether the arguments ask for JSON; they could not be parsed, so they are only looked at.
    private static func asksForJSON(_ arguments: [String]) -> Bool {
        arguments.prefix { $0 != "--" }.contains { ["-j", "--json", "-p", "--pretty"].contains($0) }
    }
}

/// What `--version` tells.
enum Version {
    static let number = "0.1.0"
    static let libbpf = Libraries.libbpfVersion
}
