// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import SystemPackage
import VMProtocol

/// This end of a socket to QEMU that carries lines both ways. It never blocks: what cannot be written waits here.
struct Channel: ~Copyable {
    let descriptor: Int32
    private var incoming = LineBuffer()
    private var outgoing: [UInt8] = []
    /// False after the other side has closed.
    private(set) var isOpen = true

    /// The other end, to hand to QEMU; `closePeer` once QEMU has it.
    private(set) var peer: Int32

    init() throws(RunnerError) {
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw RunnerError("cannot make a socket: \(Errno(rawValue: errno))")
        }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        (descriptor, peer) = (ends[0], ends[1])
    }

    mutating func closePeer() {
        if peer >= 0 { close(peer) }
        peer = -1
    }

    deinit {
        close(descriptor)
        if peer >= 0 { close(peer) }
    }

    /// True if the stream ended within a line.
    var endsWithinLine: Bool { !isOpen && incoming.hasPartialLine }

    var interest: pollfd {
        pollfd(
            fd: isOpen ? descriptor : -1, events: Int16(outgoing.isEmpty ? POLLIN : POLLIN | POLLOUT), revents: 0)
    }

    mutating func send(_ message: JSON) {
        message.write(to: &outgoing)
        outgoing.append(UInt8(ascii: "\n"))
        flush()
    }

    /// Writes what the socket takes now.
    mutating func flush() {
        while !outgoing.isEmpty {
            let count = outgoing.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                outgoing.removeFirst(count)
            } else if count < 0 && errno == EAGAIN {
                return
            } else if !(count < 0 && errno == EINTR) {
                // The reading side reports that the other end is gone.
                outgoing = []
            }
        }
    }

    /// The lines that are complete now.
    mutating func receive() throws(ProtocolError) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while isOpen {
            let count = chunk.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                lines += try incoming.append(Array(chunk[..<count]))
                if count < chunk.count { break }
            } else if count < 0 && errno == EINTR {
                continue
            } else if count < 0 && errno == EAGAIN {
                break
            } else {
                isOpen = false
            }
        }
        return lines
    }
}
