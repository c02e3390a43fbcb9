// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import ArgumentParser
import Glibc
import VMRunner

/// What every command that boots a machine takes.
struct MachineOptions: ParsableArguments {
    @Option(help: "The kernel: patched, stock, or a file.")
    var kernel = "patched"

    @Option(help: "Number of CPUs.")
    var cpus = 1

    @Option(help: "Memory in MiB.")
    var memory: Int?

    @Option(help: "Who executes the guest: auto (what a probe found to work), kvm or tcg.")
    var accel = "auto"

    @Option(help: "The guest agent, if it is not beside this program.")
    var agent: String?

    func validate() throws {
        guard cpus > 0, memory ?? 1 > 0 else { throw ValidationError("--cpus and --memory take positive numbers") }
        guard ["auto", "kvm", "tcg"].contains(accel) else { throw ValidationError("--accel takes auto, kvm or tcg") }
    }
}

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
            var run = CommandRun(kernel: machine.kernel, accelerator: .tcg, command: command)
            run.timeout = timeout.map { .seconds($0) }
            run.environment = environmentArguments(env)
            run.waitsForDebugger = gdb
            run.keptDirectory = keep
            return try start(run, machine)
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
            var run = CommandRun(
                kernel: machine.kernel, accelerator: .tcg, command: [Environment["SHELL"] ?? "/bin/sh"])
            run.environment = environmentArguments(env)
            run.usesTerminal = true
            return try start(run, machine)
        }
    }
}

private func environmentArguments(_ arguments: [String]) -> [String] {
    arguments.compactMap { argument in
        argument.contains("=") ? argument : Environment[argument].map { "\(argument)=\($0)" }
    }
}

private func start(_ run: CommandRun, _ machine: MachineOptions) throws -> Int32 {
    var run = run
    run.cpus = machine.cpus
    if let memory = machine.memory { run.memoryMiB = memory }
    return try run.run(agent: machine.agent, installation: try Installation(), cache: try Cache(), note: note)
}
