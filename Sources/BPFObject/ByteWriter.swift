// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Little-endian numbers into bytes.
struct ByteWriter {
    private(set) var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var count: Int { bytes.count }

    mutating func append(_ more: some Collection<UInt8>) { bytes += more }
    mutating func append8(_ value: UInt8) { bytes.append(value) }
    mutating func append16(_ value: UInt16) { append(littleEndian: value.littleEndian) }
    mutating func append32(_ value: UInt32) { append(littleEndian: value.littleEndian) }
    mutating func append64(_ value: UInt64) { append(littleEndian: value.littleEndian) }

    mutating func append(_ words: [UInt32]) {
        words.map { $0.littleEndian }.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    /// Fills with zeros up to a multiple of `alignment`.
    mutating func align(_ alignment: Int) {
        while !bytes.count.isMultiple(of: alignment) { bytes.append(0) }
    }

    mutating func put16(_ value: UInt16, at position: Int) { put(littleEndian: value.littleEndian, position) }
    mutating func put32(_ value: UInt32, at position: Int) { put(littleEndian: value.littleEndian, position) }
    mutating func put64(_ value: UInt64, at position: Int) { put(littleEndian: value.littleEndian, position) }

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

    /// Makes room for what will be appended.
    mutating func reserve(_ more: Int) { bytes.reserveCapacity(bytes.count + more) }

    // A number is one store, not one for each of its bytes: code and tables are written word by word.

    @inline(__always)
    private mutating func append(littleEndian value: some FixedWidthInteger & BitwiseCopyable) {
        withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    }

    @inline(__always)
    private mutating func put(littleEndian value: some FixedWidthInteger & BitwiseCopyable, _ position: Int) {
        precondition(position >= 0 && position <= bytes.count - MemoryLayout.size(ofValue: value))
        bytes.withUnsafeMutableBytes { $0.storeBytes(of: value, toByteOffset: position, as: type(of: value)) }
    }
}
