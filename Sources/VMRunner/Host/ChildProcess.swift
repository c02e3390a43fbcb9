// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLinuxSystem
import Glibc
import SystemPackage

/// A program that the runner started and must take in again.
struct ChildProcess: ~Copyable {
    enum End: Equatable, Sendable {
        case exited(Int32)
        case signalled(Int32)
    }

    /// What the kernel sends the program when the thread that started it ends.
    enum OnParentDeath: String {
        case kill = "KILL"
        /// For programs that have children of their own to end.
        case terminate = "TERM"
    }

    let id: pid_t
    private let hasOwnGroup: Bool
    /// Becomes readable when the process ends.
    let descriptor: Int32
    private var end: End?

    /// Starts a program.
    /// - Parameters:
    ///   - arguments: the program, looked up in `PATH`, and its arguments.
    ///   - descriptors: what the program gets as its descriptors 0, 1, 2, …; everything else is closed to it.
    ///   - environment: `NAME=VALUE` strings in place of this process's environment.
    ///   - onParentDeath: for programs that this thread waits for.
    ///   - ownGroup: keep the terminal's Ctrl-C away from the program; the runner ends it.
    init(
        _ arguments: [String], descriptors: [Int32], directory: String? = nil, environment: [String]? = nil,
        onParentDeath: OnParentDeath = .kill, ownGroup: Bool = false
    ) throws(RunnerError) {
        var arguments = arguments
        if let setpriv = findProgram("setpriv") {
            arguments = [setpriv, "--pdeathsig", onParentDeath.rawValue, "--"] + arguments
        }
        if let directory {
            arguments = ["/usr/bin/env", "-C", directory, "--"] + arguments
        }
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        // First out of the way of each other's new numbers, then to their places.
        var copies: [Int32] = []
        defer { for copy in copies { close(copy) } }
        for (number, descriptor) in descriptors.enumerated() {
            let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 64)
            guard copy >= 0 else { throw RunnerError("cannot pass a file on: \(Errno(rawValue: errno))") }
            copies.append(copy)
            posix_spawn_file_actions_adddup2(&files, copy, Int32(number))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var defaults = sigset_t()
        sigemptyset(&none)
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        posix_spawnattr_setpgroup(&attributes, 0)
        let group = ownGroup ? POSIX_SPAWN_SETPGROUP : 0
        posix_spawnattr_setflags(&attributes, Int16(group | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var child: pid_t = 0
        let failure = withCStrings(arguments) { argv in
            guard let environment else { return posix_spawnp(&child, argv[0]!, &files, &attributes, argv, environ) }
            return withCStrings(environment) { posix_spawnp(&child, argv[0]!, &files, &attributes, argv, $0) }
        }
        guard failure == 0 else { throw RunnerError("cannot run \(arguments[0]): \(Errno(rawValue: failure))") }
        let watch = pidfd_open(child, 0)
        guard watch >= 0 else {
            let number = errno
            Glibc.kill(child, SIGKILL)
            waitpid(child, nil, 0)
            throw RunnerError("cannot watch \(arguments[0]): \(Errno(rawValue: number))")
        }
        (id, descriptor, hasOwnGroup) = (child, watch, ownGroup)
    }

    deinit {
        if end == nil {
            kill()
            waitpid(id, nil, 0)
        }
        close(descriptor)
    }

    func kill(_ signal: Int32 = SIGKILL) {
        if end == nil { Glibc.kill(hasOwnGroup ? -id : id, signal) }
    }

    /// Waits until the program ends.
    mutating func wait() -> End {
        if let end { return end }
        var status: Int32 = 0
        while waitpid(id, &status, 0) == -1 && errno == EINTR {}
        let signal = status & 0x7f
        let result: End = signal == 0 ? .exited(status >> 8 & 0xff) : .signalled(signal)
        end = result
        return result
    }
}

/// Where a program lies in `PATH`; nil if it is not installed.
func findProgram(_ name: String) -> String? {
    let directories = (Environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":")
    return directories.lazy.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 && !Files.isDirectory($0) }
}

/// Calls `body` with a null-terminated array of C strings.
private func withCStrings<Result>(_ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result) -> Result {
    let copies: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) } + [nil]
    defer { for copy in copies { free(copy) } }
    return body(copies)
}
