// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Little-endian numbers out of bytes, every access checked.
///
/// A reader sees a window of the bytes; errors tell positions in the file.
struct ByteReader {
    private let bytes: [UInt8]
    /// The window.
    let range: Range<Int>
    /// What the window is, or of which kind and name: messages are rare, and readers made by the thousand.
    private let name: String
    private let kind: StaticString

    /// - Parameter range: must lie within `bytes`.
    init(_ bytes: [UInt8], _ range: Range<Int>, what name: String, kind: StaticString = "") {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        self.bytes = bytes
        self.range = range
        self.name = name
        self.kind = kind
    }

    init(_ bytes: [UInt8], _ section: Section) { self.init(bytes, section.range, what: section.name, kind: "section ") }

    /// What the window is, for messages: "section .BTF".
    var what: String { "\(kind)\(name)" }

    var count: Int { range.count }

    /// All bytes of the window.
    var all: ArraySlice<UInt8> { bytes[range] }

    /// Where a position of the window lies in the file.
    func place(_ position: Int) -> FileOffset { FileOffset(range.lowerBound + position) }

    func u8(_ position: Int) throws(ObjectError) -> UInt8 { try load(position) }
    func u16(_ position: Int) throws(ObjectError) -> UInt16 { try load(position) }
    func u32(_ position: Int) throws(ObjectError) -> UInt32 { try load(position) }
    func u64(_ position: Int) throws(ObjectError) -> UInt64 { try load(position) }
    func s32(_ position: Int) throws(ObjectError) -> Int32 { Int32(bitPattern: try u32(position)) }

    /// Numbers of 32 bits, one behind the other: whoever needs many checks once.
    func words(_ position: Int, _ count: Int) throws(ObjectError) -> [UInt32] {
        guard position >= 0, position <= self.count, count >= 0, count <= (self.count - position) / 4 else {
            throw outside(position, 4 * max(0, count))
        }
        let start = range.lowerBound + position
        return bytes.withUnsafeBytes { bytes in
            [UInt32](unsafeUninitializedCapacity: count) { words, initialized in
                for index in 0..<count {
                    let word = bytes.loadUnaligned(fromByteOffset: start + 4 * index, as: UInt32.self)
                    words.initializeElement(at: index, to: UInt32(littleEndian: word))
                }
                initialized = count
            }
        }
    }

    /// The longest name that is read. Names may overlap in a string table, so without a bound a small file could claim an
    /// enormous amount of text; the kernel takes names of less than 512 bytes (`KSYM_NAME_LEN`).
    static let maximumNameLength = 1024

    /// The NUL-terminated string at a position.
    func string(_ position: Int) throws(ObjectError) -> String {
        guard position >= 0, position < count else { throw outside(position, 1) }
        let start = range.lowerBound + position
        let limit = min(range.upperBound, start + Self.maximumNameLength + 1)
        let end = bytes.withUnsafeBytes { bytes in
            var end = start
            while end < limit, bytes[end] >= 0x20, bytes[end] != 0x7f { end += 1 }
            return end
        }
        // Names are shown to people; no compiler writes one that could steer a terminal or forge a line.
        guard end == limit || bytes[end] == 0 else {
            throw ObjectError(.malformed, "string with a control character in \(what)", at: FileOffset(end))
        }
        guard end < limit else {
            let fault = limit == range.upperBound ? "without an end" : "of more than \(Self.maximumNameLength) bytes"
            throw ObjectError(.malformed, "string \(fault) in \(what)", at: place(position))
        }
        return String(decoding: bytes[start..<end], as: UTF8.self)
    }

    /// All of the window as a name, which is shown to people.
    func text() throws(ObjectError) -> String {
        guard all.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw ObjectError(.malformed, "\(what) has a control character", at: place(0))
        }
        return String(decoding: all, as: UTF8.self)
    }

    /// A part of the window as a window of its own.
    func part(_ position: Int, _ length: Int, what: String) throws(ObjectError) -> ByteReader {
        guard position >= 0, length >= 0, position <= count, length <= count - position else {
            throw ObjectError(
                .malformed, "\(what) (\(length) bytes at \(position)) reaches beyond \(self.what) (\(count) bytes)",
                at: place(max(0, min(position, count))))
        }
        let start = range.lowerBound + position
        return ByteReader(bytes, start..<(start + length), what: what)
    }

    /// Types are read in their thousands, so a number is one load, not one for each of its bytes.
    @inline(__always)
    private func load<Number: FixedWidthInteger & BitwiseCopyable>(_ position: Int) throws(ObjectError) -> Number {
        let size = MemoryLayout<Number>.size
        guard position >= 0, position <= count, size <= count - position else { throw outside(position, size) }
        return bytes.withUnsafeBytes {
            Number(littleEndian: $0.loadUnaligned(fromByteOffset: range.lowerBound + position, as: Number.self))
        }
    }

    private func outside(_ position: Int, _ size: Int) -> ObjectError {
        ObjectError(
            .malformed, "\(what) ends (after \(count) bytes) where \(size) more are needed",
            at: place(max(0, min(position, count))))
    }
}

extension Instruction {
    /// Reads the slot at a byte position.
    init(_ reader: ByteReader, at position: Int) throws(ObjectError) { self.init(word: try reader.u64(position)) }

    /// The slot that is stored as a number.
    init(word: UInt64) {
        self.init(
            opcode: UInt8(truncatingIfNeeded: word), destination: UInt8(truncatingIfNeeded: (word >> 8) & 0xf),
            source: UInt8(truncatingIfNeeded: (word >> 12) & 0xf),
            offset: Int16(truncatingIfNeeded: Int64(bitPattern: word) >> 16),
            immediate: Int32(truncatingIfNeeded: Int64(bitPattern: word) >> 32))
    }

    /// The slot as it is stored.
    var word: UInt64 {
        UInt64(opcode) | UInt64(destination & 0xf) << 8 | UInt64(source & 0xf) << 12
            | UInt64(UInt16(bitPattern: offset)) << 16 | UInt64(UInt32(bitPattern: immediate)) << 32
    }
}
