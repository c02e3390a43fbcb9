// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import VMProtocol

/// The job that runs now, and the input that its command has not taken yet.
final class RunningJob {
    let id: String
    let command: Command
    /// Uptime in milliseconds and taint when the job was started.
    let started: Int
    let taint: Int
    let searchesForLeaks: Bool
    private var pendingInput: [UInt8] = []
    private var inputEnds = false

    init(id: String, command: Command, started: Int, taint: Int, searchesForLeaks: Bool) {
        self.id = id
        self.command = command
        self.started = started
        self.taint = taint
        self.searchesForLeaks = searchesForLeaks
    }

    /// What to wait for.
    var interests: [pollfd] {
        var result: [pollfd] = []
        for descriptor in [command.output, command.error] where descriptor >= 0 {
            result.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
        }
        if command.input >= 0 && !pendingInput.isEmpty {
            result.append(pollfd(fd: command.input, events: Int16(POLLOUT), revents: 0))
        }
        return result
    }

    /// Takes input for the command. Returns how many bytes can be forgotten at once, because the command has
    /// closed its input; nil if none.
    func queueInput(_ bytes: [UInt8]) -> Int? {
        guard command.input >= 0 else { return bytes.count }
        pendingInput += bytes
        return writeInput()
    }

    func endInput() {
        inputEnds = true
        if pendingInput.isEmpty { command.closeInput() }
    }

    /// Writes what the command takes now. Returns the number of bytes that are done with; nil if none.
    func writeInput() -> Int? {
        guard command.input >= 0, !pendingInput.isEmpty else { return nil }
        let written = pendingInput.withUnsafeBytes { write(command.input, $0.baseAddress, $0.count) }
        if written < 0 {
            guard errno != EAGAIN && errno != EINTR else { return nil }
            // Nobody reads it any more.
            let count = pendingInput.count
            pendingInput = []
            command.closeInput()
            return count
        }
        pendingInput.removeFirst(written)
        if pendingInput.isEmpty && inputEnds { command.closeInput() }
        return written
    }
}
