// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// An object under mutation: bytes in libFuzzer's buffer, read without trust, for most of what is mutated is damaged already.
struct Image {
    private let start: UnsafeMutablePointer<UInt8>
    private(set) var count: Int
    /// Room in the buffer.
    let capacity: Int

    init(_ start: UnsafeMutablePointer<UInt8>, count: Int, capacity: Int) {
        self.start = start
        self.count = count
        self.capacity = capacity
    }

    /// A number of 1 to 8 bytes; 0 where there is none.
    func load(_ position: Int, _ size: Int) -> UInt64 {
        guard position >= 0, position <= count - size else { return 0 }
        return (0..<size).reduce(0) { $0 | UInt64(start[position + $1]) << UInt64(8 * $1) }
    }

    func store(_ value: UInt64, _ position: Int, _ size: Int) {
        guard position >= 0, position <= count - size else { return }
        for index in 0..<size { start[position + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
    }

    /// Copies bytes over others.
    func copy(_ length: Int, from source: Int, to target: Int) {
        guard source >= 0, target >= 0, length > 0, source <= count - length, target <= count - length else { return }
        (start + target).update(from: start + source, count: length)
    }

    /// Appends a copy of some of its bytes.
    ///
    /// - Returns: whether there was room.
    mutating func append(_ part: Range<Int>) -> Bool {
        guard part.lowerBound >= 0, part.upperBound <= count, part.count <= capacity - count else { return false }
        (start + count).update(from: start + part.lowerBound, count: part.count)
        count += part.count
        return true
    }

    /// Leaves nothing but a part.
    mutating func keep(_ part: Range<Int>) {
        guard part.lowerBound >= 0, part.upperBound <= count, !part.isEmpty else { return }
        start.update(from: start + part.lowerBound, count: part.count)
        count = part.count
    }

    // MARK: ELF

    struct Section {
        /// Where its header lies.
        let header: Int
        let type: UInt64
        let contents: Range<Int>
        /// The first eight bytes of its name.
        let name: String
    }

    /// The sections that lie within the file.
    var sections: [Section] {
        let table = Int(truncatingIfNeeded: load(40, 8))
        let number = min(Int(load(60, 2)), count / 64)
        guard count >= 64, load(0, 4) == 0x464c_457f, table > 0, table < count else { return [] }
        let names = Int(truncatingIfNeeded: load(table &+ Int(load(62, 2)) &* 64 &+ 24, 8))
        return (0..<number).compactMap { index in
            let header = table + index * 64
            let offset = load(header + 24, 8)
            let size = load(header + 32, 8)
            guard offset <= UInt64(count), size <= UInt64(count) - offset else { return nil }
            let name = names &+ Int(load(header, 4))
            let letters = (0..<8).map { UInt8(load(name &+ $0, 1)) }.prefix { $0 != 0 }
            return Section(
                header: header, type: load(header + 4, 4), contents: Int(offset)..<Int(offset + size),
                name: String(decoding: letters, as: UTF8.self))
        }
    }

    /// The parts of a `.BTF` at a position: where its type records begin and its strings are.
    func types(at section: Range<Int>) -> (records: [Int], strings: Range<Int>) {
        guard load(section.lowerBound, 2) == 0xeb9f else { return ([], 0..<0) }
        func part(_ field: Int) -> Range<Int> {
            let lower = section.lowerBound + Int(load(section.lowerBound + 4, 4)) + Int(load(section.lowerBound + field, 4))
            let length = Int(load(section.lowerBound + field + 4, 4))
            return lower <= count && length <= count - lower ? lower..<(lower + length) : 0..<0
        }
        let table = part(8)
        var records: [Int] = []
        var position = table.lowerBound
        while position <= table.upperBound - 12 {
            records.append(position)
            let info = load(position + 4, 4)
            let members = Int(info & 0xffff)
            // Bytes behind the common 12, by kind (`Documentation/bpf/btf.rst`).
            switch (info >> 24) & 0x1f {
            case 1, 14, 17: position += 16
            case 3: position += 24
            case 4, 5, 15, 19: position += 12 + 12 * members
            case 6, 13: position += 12 + 8 * members
            default: position += 12
            }
        }
        return (records, part(16))
    }
}
