// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import ArgumentParser
import Glibc
import VMRunner

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a command in a machine that sees the host's files.",
        discussion: """
            The command works in the same directory as root. It sees the host's files, and what it changes goes \
            away with the machine. Its output is passed on as it comes, its exit code is returned.
            """)

    @OptionGroup var machine: MachineOptions

    @Option(help: "Seconds that the command may take.")
    var timeout: Double?

    @Option(help: "Pass NAME=VALUE, or this process's NAME, to the command.")
    var env: [String] = []

    @Flag(help: "Wait for a debugger before the kernel's first instruction.")
    var gdb = false

    @Option(help: "Keep the machine's console and QEMU's words in this directory.")
    var keep: String?

    @Argument(parsing: .postTerminator, help: "The command and its arguments.")
    var command: [String]

    func validate() throws {
        guard !command.isEmpty else { throw ValidationError("Give the command after --") }
    }

    func run() throws {
        try finish {
            let place = try machine.place()
            var run = CommandRun(kernel: place.kernel, accelerator: place.accelerator, command: command)
            run.timeout = timeout.map { .seconds($0) }
            run.environment = environmentArguments(env)
            run.waitsForDebugger = gdb
            run.keptDirectory = keep
            return try machine.start(run, place)
        }
    }
}

struct Shell: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Open an interactive shell in a machine that sees the host's files.")

    @OptionGroup var machine: MachineOptions

    @Option(help: "Pass NAME=VALUE, or this process's NAME, to the shell.")
    var env: [String] = []

    func run() throws {
        try finish {
            guard isatty(STDIN_FILENO) == 1 else { throw RunnerError("standard input is not a terminal") }
            let place = try machine.place()
            var run = CommandRun(
                kernel: place.kernel, accelerator: place.accelerator, command: [Environment["SHELL"] ?? "/bin/sh"])
            run.environment = environmentArguments(env)
            run.usesTerminal = true
            return try machine.start(run, place)
        }
    }
}

private func environmentArguments(_ arguments: [String]) -> [String] {
    arguments.compactMap { argument in
        argument.contains("=") ? argument : Environment[argument].map { "\(argument)=\($0)" }
    }
}

extension MachineOptions {
    fileprivate func start(_ run: CommandRun, _ place: Place) throws -> Int32 {
        var run = run
        run.cpus = cpus
        run.needs = place.needs
        run.searchesForLeaks = leaks
        if let memory { run.memoryMiB = memory }
        return try run.run(agent: agent, installation: place.installation, cache: place.cache, note: note)
    }
}
