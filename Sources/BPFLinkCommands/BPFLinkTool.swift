// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import ArgumentParser
import BPFLink
import SystemPackage

/// `bpflink`
public struct BPFLinkTool: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "bpflink",
        abstract: "Link, load and inspect BPF programs that call functions of other loaded programs by FD and name.",
        discussion: """
            Exit status: 0 done, 1 the link or load failed, or its output cannot be written, 64 wrong usage; with --exec, the command's.
            """,
        version: "bpflink \(Version.number)\nlibbpf \(Version.libbpf)",
        subcommands: [
            LoadCommand.self, InspectCommand.self, HeaderCommand.self, ListCommand.self, TreeCommand.self, UnloadCommand.self,
        ])

    public init() {}

    /// Runs the command line of this process.
    ///
    /// `CommandLine.arguments` mends what is not UTF-8, and a mended path is that of another file: here it is wrong usage.
    public static func start() {
        var arguments: [String] = []
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let word = CommandLine.unsafeArgv[index] else { break }
            guard let argument = String(validatingCString: word) else {
                exit(withError: ValidationError("Argument \(index) is not UTF-8: '\(String(cString: word))'"))
            }
            arguments.append(argument)
        }
        start(arguments)
    }

    /// Runs a command line.
    ///
    /// - Parameter arguments: without the program's own name.
    public static func start(_ arguments: [String]) {
        Foreground.reportClosedPipes()
        let arguments = LoadCommand.separatingCommand(in: AttachTarget.completingBareOptions(in: arguments))
        do {
            var command = try parse(arguments)
            try command.run()
        } catch {
            if exitCode(for: error) == .validationFailure, asksForJSON(arguments) {
                let usage = Diagnostic(code: "usage", message(for: error))
                tell(Diagnostics([usage]).json.text())
                exit(withError: ExitCode.validationFailure)
            }
            // Help, the version, a completion script: the parser itself would not see whether they can be written.
            if exitCode(for: error) == .success {
                tell(fullMessage(for: error))
                exit(withError: ExitCode.success)
            }
            exit(withError: error)
        }
    }

    /// Writes to stdout, or ends.
    private static func tell(_ text: String) {
        if text.isEmpty { return }
        do throws(Errno) {
            try CommonOptions.write(text + "\n", to: .standardOutput)
        } catch {
            CommonOptions.complain(about: error)
            exit(withError: ExitCode.failure)
        }
    }

    /// The command that the arguments ask for.
    ///
    /// The parser looks at every property of every command on its way by reflection, at each more than once, which takes longer than
    /// most commands do. A command that is named first and asked for nothing unusual is parsed by itself (its super-command's name
    /// tells the parser that it is not the one to write completion scripts); whatever else there is, help and mistakes, is said by
    /// the whole.
    private static func parse(_ arguments: [String]) throws -> any ParsableCommand {
        let command = configuration.subcommands.first { $0._commandName == arguments.first }
        if let command, let parsed = try? command.parseAsRoot(Array(arguments.dropFirst())), type(of: parsed) == command {
            return parsed
        }
        return try parseAsRoot(arguments)
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
