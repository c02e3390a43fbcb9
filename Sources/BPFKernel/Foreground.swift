// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import SystemPackage

/// Keeps loaded programs alive for others: while a command runs that inherits them, or until a signal.
public enum Foreground {
    /// Runs a command that inherits the programs' descriptors, and waits for it.
    ///
    /// The descriptors' numbers are told by the environment: `BPFLINK_FD_<program>` each, and `BPFLINK_FD` if there is one.
    ///
    /// - Parameter command: the program, looked up in PATH, and its arguments; not empty.
    /// - Returns: the command's exit status, or 128 + the number of the signal that ended it, as shells have it.
    /// - Throws: ``KernelError`` with code `system` if the command cannot be started.
    public static func run(_ command: [String], passing programs: [LoadedProgram]) throws(KernelError) -> Int32 {
        var environment: [String] = []
        var entry = environ
        while let variable = entry.pointee {
            environment.append(String(cString: variable))
            entry += 1
        }
        for program in programs {
            // The copy goes away with this process, or with the command.
            let inherited = fcntl(program.descriptor, F_DUPFD, 3)
            guard inherited >= 0 else {
                throw KernelError(.system, "`\(program.name)` cannot be passed on", errno: Errno(rawValue: errno))
            }
            environment.append("BPFLINK_FD_\(program.name)=\(inherited)")
            if programs.count == 1 { environment.append("BPFLINK_FD=\(inherited)") }
        }

        var child: pid_t = 0
        let error = withCStrings(command) { arguments in
            withCStrings(environment) { environment in
                posix_spawnp(&child, arguments[0]!, nil, nil, arguments, environment)
            }
        }
        guard error == 0 else {
            throw KernelError(.system, "`\(command[0])` cannot be run: \(Errno(rawValue: error))", errno: Errno(rawValue: error))
        }
        var status: CInt = 0
        do throws(CallFailure) {
            _ = try systemCall { waitpid(child, &status, 0) }
        } catch {
            throw KernelError(.system, "`\(command[0])` cannot be waited for", error)
        }
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }

    /// Waits for SIGINT or SIGTERM, so that attachments that are not pinned last.
    public static func waitForSignal() {
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGINT)
        sigaddset(&signals, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        var signal: CInt = 0
        sigwait(&signals, &signal)
    }

    private static func withCStrings<Result>(
        _ strings: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeMutableBufferPointer { body($0.baseAddress!) }
    }
}
