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

    /// Runs a command and waits for it, whatever signals come meanwhile: what was loaded for the command is there as long as it
    /// runs.
    ///
    /// The numbers of inherited descriptors are told by the environment: `BPFLINK_FD_<program>` each, and `BPFLINK_FD` if
    /// there is just one.
    ///
    /// SIGINT and SIGQUIT, which a terminal sends to the command as well, do nothing to this process until the command has ended;
    /// SIGTERM and SIGHUP are passed on to the command, if other threads of this process block them.
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

        let signals = CommandSignals()
        var child: pid_t = 0
        let error = withCStrings(command) { arguments in
            withCStrings(environment) { environment in
                signals.withAttributes { posix_spawnp(&child, arguments[0]!, nil, $0, arguments, environment) }
            }
        }
        guard error == 0 else {
            throw KernelError(.system, "`\(command[0])` cannot be run: \(Errno(rawValue: error))", errno: Errno(rawValue: error))
        }
        do throws(CallFailure) {
            return try signals.wait(for: child)
        } catch {
            throw KernelError(.system, "`\(command[0])` cannot be waited for", error)
        }
    }

    /// Makes writing into a closed pipe an error like any other, EPIPE, where it would end the process. Commands that
    /// ``run(_:telling:)`` starts have SIGPIPE as this process was started with it.
    public static func reportClosedPipes() {
        _ = SignalAction.nothing(on: SIGPIPE)
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

/// What a signal does to this process.
private struct SignalAction {
    private let signal: CInt
    private var previous = sigaction()

    /// Lets a signal do nothing. What is ignored already stays so.
    ///
    /// A handler that returns does not go on to commands, as SIG_IGN would: they have the signal as this process was started with
    /// it.
    static func nothing(on signal: CInt) -> SignalAction {
        var action = SignalAction(signal: signal)
        sigaction(signal, nil, &action.previous)
        let ignored = unsafeBitCast(SIG_IGN, to: Int.self)
        guard unsafeBitCast(action.previous.__sigaction_handler.sa_handler, to: Int.self) != ignored else { return action }
        var empty = sigaction()
        empty.__sigaction_handler.sa_handler = { _ in }
        empty.sa_flags = CInt(SA_RESTART)
        sigaction(signal, &empty, nil)
        return action
    }

    /// Gives the signal its default action.
    static func usual(on signal: CInt) -> SignalAction {
        var action = SignalAction(signal: signal)
        var usual = sigaction()
        sigaction(signal, &usual, &action.previous)
        return action
    }

    private init(signal: CInt) { self.signal = signal }

    func restore() {
        var previous = previous
        sigaction(signal, &previous, nil)
    }
}

/// The signals of this process while it waits for a command; afterwards they are what they were.
private struct CommandSignals: ~Copyable {
    private var waitedFor = sigset_t()
    private var previous = sigset_t()
    private let actions: [SignalAction]

    init() {
        // A process that ignores SIGCHLD has no children to wait for.
        actions = [.nothing(on: SIGINT), .nothing(on: SIGQUIT), .usual(on: SIGCHLD)]
        sigemptyset(&waitedFor)
        for signal in [SIGTERM, SIGHUP, SIGCHLD] { sigaddset(&waitedFor, signal) }
        pthread_sigmask(SIG_BLOCK, &waitedFor, &previous)
    }

    deinit {
        var previous = previous
        pthread_sigmask(SIG_SETMASK, &previous, nil)
        for action in actions { action.restore() }
    }

    /// - Parameter body: gets attributes by which a command has the signal mask that this process had.
    func withAttributes(_ body: (UnsafePointer<posix_spawnattr_t>) -> CInt) -> CInt {
        var attributes = posix_spawnattr_t()
        var mask = previous
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        return body(&attributes)
    }

    /// Waits until the command ends, and passes signals on to it meanwhile.
    ///
    /// - Returns: the exit status, or 128 + the number of the signal that ended the command.
    func wait(for child: pid_t) throws(CallFailure) -> Int32 {
        while true {
            var waitedFor = waitedFor
            var signal: CInt = 0
            sigwait(&waitedFor, &signal)
            guard signal == SIGCHLD else {
                kill(child, signal)
                continue
            }
            var status: CInt = 0
            // It may have been stopped or continued only, or it is another child.
            guard try systemCall({ waitpid(child, &status, WNOHANG) }) == child else { continue }
            let ending = status & 0x7f
            return ending == 0 ? (status >> 8) & 0xff : 128 + ending
        }
    }
}
