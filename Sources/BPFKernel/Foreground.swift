// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import SystemPackage

/// Keeps loaded programs alive for others: while a command runs that inherits them, or until a signal.
public enum Foreground {
    /// A descriptor that commands inherit.
    public struct Inherited: Sendable, Hashable {
        public var program: String
        public var descriptor: CInt
    }

    /// Makes copies of the programs' descriptors that commands inherit; they last as long as this process.
    ///
    /// - Throws: ``KernelError`` with code `system` if the process has no descriptor left.
    public static func inherit(_ programs: [LoadedProgram]) throws(KernelError) -> [Inherited] {
        var inherited: [Inherited] = []
        for program in programs {
            do throws(CallFailure) {
                let copy = try systemCall { fcntl(program.descriptor, F_DUPFD, 3) }
                inherited.append(Inherited(program: program.name, descriptor: copy))
            } catch {
                throw KernelError(.system, "`\(program.name)` cannot be passed on", error)
            }
        }
        return inherited
    }

    /// Runs a command and waits for it.
    ///
    /// The numbers of inherited descriptors are told by the environment: `BPFLINK_FD_<program>` each, and `BPFLINK_FD` if
    /// there is just one.
    ///
    /// - Parameters:
    ///   - command: the program, looked up in PATH, and its arguments; not empty.
    ///   - inherited: the descriptors that the command is told of; they stay open in it.
    /// - Returns: the command's exit status, or 128 + the number of the signal that ended it, as shells have it.
    /// - Throws: ``KernelError`` with code `system` if the command cannot be started.
    public static func run(_ command: [String], telling inherited: [Inherited]) throws(KernelError) -> Int32 {
        var environment: [String] = []
        var entry = environ
        while let variable = entry.pointee {
            environment.append(String(cString: variable))
            entry += 1
        }
        for program in inherited {
            environment.append("BPFLINK_FD_\(program.program)=\(program.descriptor)")
            if inherited.count == 1 { environment.append("BPFLINK_FD=\(program.descriptor)") }
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
