// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import ArgumentParser
import Glibc
import VMRunner

@main
struct BPFLinkVM: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bpflink-vm",
        abstract: "Build Linux kernels, boot them, and run commands and test suites in them.",
        discussion: """
            Exit codes of `run` and `shell`: the command's own (128 + n if signal n ended it, 126 or 127 if it \
            could not be started), or that of a failure of the guest: 240 BOOT, 241 PANIC, 242 SPLAT, 243 HANG, \
            244 LOST; 245 if the runner itself could not do its work. Wrong usage: 64.
            """,
        subcommands: [Run.self, Shell.self, Test.self, Kernel.self, Series.self, Selftests.self, Accel.self])
}

/// The exit code when the runner could not do its work.
let infrastructureExitCode: Int32 = 245

/// Words for the user, on standard error.
func note(_ words: String) { write("bpflink-vm: \(words)", to: STDERR_FILENO) }

/// A result, on standard output; at once, whoever reads it.
func say(_ words: String) { write(words, to: STDOUT_FILENO) }

/// Writes whole lines.
func write(_ words: String, to descriptor: Int32) {
    var bytes = Array("\(words)\n".utf8)[...]
    while !bytes.isEmpty {
        let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        if count < 0 && errno != EINTR { return }
        bytes = bytes.dropFirst(max(0, count))
    }
}

/// Runs the body of a command: its result is the exit code.
func finish(_ body: () throws -> Int32) throws -> Never {
    do {
        throw ExitCode(try body())
    } catch let error as RunnerError {
        note("error: \(error)")
        throw ExitCode(infrastructureExitCode)
    }
}
