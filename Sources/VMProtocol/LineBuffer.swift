// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Cuts a stream of bytes into lines, however the bytes arrive.
public struct LineBuffer: Sendable {
    /// A line longer than this is not of this protocol.
    public static let longestLine = 1 << 20

    private var pending: [UInt8] = []

    public init() {}

    /// True if bytes of an unfinished line are waiting: at the end of a stream, a truncated record.
    public var hasPartialLine: Bool { !pending.isEmpty }

    /// Takes bytes in and returns the lines that they complete, without their line feeds.
    /// - Throws: `ProtocolError` if a line grows beyond `longestLine` bytes.
    public mutating func append(_ bytes: [UInt8]) throws(ProtocolError) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var start = 0
        for end in bytes.indices where bytes[end] == UInt8(ascii: "\n") {
            lines.append(pending + bytes[start..<end])
            pending.removeAll(keepingCapacity: true)
            start = end + 1
        }
        pending += bytes[start...]
        guard pending.count <= LineBuffer.longestLine else {
            throw ProtocolError("a line of more than \(LineBuffer.longestLine) bytes")
        }
        return lines
    }
}
