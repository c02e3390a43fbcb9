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
    public mutating func append(_ bytes: some Collection<UInt8>) throws(ProtocolError) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            lines.append(pending + rest[..<end])
            pending.removeAll(keepingCapacity: true)
            rest = rest[rest.index(after: end)...]
        }
        pending += rest
        guard pending.count <= LineBuffer.longestLine else {
            throw ProtocolError("a line of more than \(LineBuffer.longestLine) bytes")
        }
        return lines
    }
}
