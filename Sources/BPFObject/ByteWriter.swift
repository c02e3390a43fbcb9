// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Little-endian numbers into bytes.
struct ByteWriter {
    private(set) var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var count: Int { bytes.count }

    mutating func append(_ more: [UInt8]) { bytes += more }
    mutating func append8(_ value: UInt8) { bytes.append(value) }
    mutating func append16(_ value: UInt16) { append(UInt64(value), 2) }
    mutating func append32(_ value: UInt32) { append(UInt64(value), 4) }
    mutating func append64(_ value: UInt64) { append(value, 8) }

    /// Fills with zeros up to a multiple of `alignment`.
    mutating func align(_ alignment: Int) {
        while !bytes.count.isMultiple(of: alignment) { bytes.append(0) }
    }

    mutating func put16(_ value: UInt16, at position: Int) { put(UInt64(value), 2, position) }
    mutating func put32(_ value: UInt32, at position: Int) { put(UInt64(value), 4, position) }
    mutating func put64(_ value: UInt64, at position: Int) { put(value, 8, position) }

    mutating func put(_ more: [UInt8], at position: Int) {
        bytes.replaceSubrange(position..<(position + more.count), with: more)
    }

    mutating func insert(_ more: [UInt8], at position: Int) { bytes.insert(contentsOf: more, at: position) }

    func get16(at position: Int) -> UInt16 { UInt16(bytes[position]) | UInt16(bytes[position + 1]) << 8 }

    func get64(at position: Int) -> UInt64 {
        (0..<8).reduce(0) { $0 | UInt64(bytes[position + $1]) << UInt64(8 * $1) }
    }

    mutating func copy(_ count: Int, from source: Int, to target: Int) {
        if source == target { return }
        for index in 0..<count { bytes[target + index] = bytes[source + index] }
    }

    private mutating func append(_ value: UInt64, _ size: Int) {
        for index in 0..<size { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(8 * index))) }
    }

    private mutating func put(_ value: UInt64, _ size: Int, _ position: Int) {
        for index in 0..<size { bytes[position + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
    }
}
