// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLinuxSystem
import Glibc
import VMProtocol

/// A job's running command: its process, and this end of its standard streams.
final class Command {
    let process: pid_t
    /// −1 where there is none.
    private(set) var input: Int32 = -1
    private(set) var output: Int32 = -1
    private(set) var error: Int32 = -1
    private let isTerminal: Bool

    /// Starts the command in a session of its own, so that a terminal becomes its controlling terminal.
    init(_ job: Job) throws(SystemCallError) {
        var files = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }

        var ours: [Int32] = []
        var theirs: [Int32] = []
        defer { for descriptor in theirs { close(descriptor) } }

        switch job.input {
        case .terminal(let rows, let columns):
            var size = windowSize(rows: rows, columns: columns)
            var (master, slave): (Int32, Int32) = (-1, -1)
            try check("openpty") { openpty(&master, &slave, nil, nil, &size) }
            ours.append(master)
            theirs.append(slave)
            for end in [master, slave] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            // The first terminal that a session's leader opens becomes its controlling one.
            posix_spawn_file_actions_addopen(&files, 0, "/proc/self/fd/\(slave)", O_RDWR, 0)
            posix_spawn_file_actions_adddup2(&files, 0, 1)
            posix_spawn_file_actions_adddup2(&files, 0, 2)
            isTerminal = true
        case .none, .stream:
            if job.input == .stream {
                let ends = try makePipe()
                theirs.append(ends.read)
                ours.append(ends.write)
                posix_spawn_file_actions_adddup2(&files, ends.read, 0)
            } else {
                posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
            }
            for target: Int32 in [1, 2] {
                let ends = try makePipe()
                ours.append(ends.read)
                theirs.append(ends.write)
                posix_spawn_file_actions_adddup2(&files, ends.write, target)
            }
            isTerminal = false
        }
        try check("enter \(job.directory)") { chdir(job.directory) }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        // posix_spawnp looks the command up in this process's PATH.
        let path = job.environment.first { $0.hasPrefix("PATH=") }.map { String($0.dropFirst(5)) }
        setenv("PATH", path ?? "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1)

        var child: pid_t = 0
        let failure = withStrings(job.arguments) { arguments in
            withStrings(job.environment) { environment in
                posix_spawnp(&child, arguments[0]!, &files, &attributes, arguments, environment)
            }
        }
        guard failure == 0 else {
            for descriptor in ours { close(descriptor) }
            throw SystemCallError(action: "run \(job.arguments[0])", number: failure)
        }
        process = child
        for descriptor in ours {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        }
        switch job.input {
        case .terminal: (input, output) = (ours[0], ours[0])
        case .stream: (input, output, error) = (ours[0], ours[1], ours[2])
        case .none: (output, error) = (ours[0], ours[1])
        }
    }

    deinit {
        for descriptor in Set([input, output, error]) where descriptor >= 0 { close(descriptor) }
    }

    func resize(rows: Int, columns: Int) {
        guard isTerminal, output >= 0 else { return }
        var size = windowSize(rows: rows, columns: columns)
        _ = ioctl(output, UInt(TIOCSWINSZ), &size)
    }

    /// Ends the command's input: a closed pipe, or what a terminal's user would type.
    func closeInput() {
        guard input >= 0 else { return }
        if isTerminal {
            var endOfTransmission: UInt8 = 4
            write(input, &endOfTransmission, 1)
        } else {
            close(input)
        }
        input = -1
    }

    private func closeOutput(_ stream: GuestMessage.Stream) {
        switch stream {
        case .output:
            if output >= 0 && output != input { close(output) }
            output = -1
        case .error:
            if error >= 0 { close(error) }
            error = -1
        }
    }

    func descriptor(of stream: GuestMessage.Stream) -> Int32 { stream == .output ? output : error }

    /// The next bytes of the command's output; nil if there are none now or any more (the stream is closed then).
    func read(_ stream: GuestMessage.Stream) throws(SystemCallError) -> [UInt8]? {
        do {
            guard let bytes = try readAvailable(descriptor(of: stream), capacity: VMProtocol.chunkBytes) else {
                return nil
            }
            if !bytes.isEmpty { return bytes }
        } catch {
            // A terminal that no process has open any more.
            guard error.number == EIO else { throw error }
        }
        closeOutput(stream)
        return nil
    }
}

private func makePipe() throws(SystemCallError) -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    try check("pipe2") { pipe2(&ends, O_CLOEXEC) }
    return (ends[0], ends[1])
}

private func windowSize(rows: Int, columns: Int) -> winsize {
    winsize(ws_row: UInt16(clamping: rows), ws_col: UInt16(clamping: columns), ws_xpixel: 0, ws_ypixel: 0)
}

/// Calls `body` with a null-terminated array of C strings.
private func withStrings<Result>(
    _ strings: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
) -> Result {
    let copies: [UnsafeMutablePointer<CChar>?] = strings.map { strdup($0) } + [nil]
    defer { for copy in copies { free(copy) } }
    return body(copies)
}
