// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Changes a `.BTF.ext` section: records are added behind those of the same section of code.
struct BTFExtensionEditor {
    /// The tables, in the order in which the header names them (`struct btf_ext_header`).
    enum Table: Int, CaseIterable {
        case functions
        case lines
        case relocations

        /// Bytes of a record as Linux 7.3 defines it.
        var recordSize: Int { self == .functions ? 8 : 16 }

        var name: String { ["func_info", "line_info", "core_relo"][rawValue] }
    }

    /// What an added program is described by; offsets are those of strings in `.BTF`.
    struct Entry {
        let function: TypeID
        let section: UInt32
        let file: UInt32
        let line: UInt32
    }

    /// The words of a record, as many of them as Linux 7.3 defines: the offset of the instruction first, and what is left is 0.
    typealias Record = SIMD4<UInt32>

    /// `struct btf_ext_header` with all that Linux 7.3 defines.
    private static let headerSize = 32

    private var tables: [BTFExtensionTable] = []

    /// - Parameters:
    ///   - section: the contents of `.BTF.ext`.
    ///   - strings: the strings of `.BTF`, by which records name their section of code.
    init(_ section: ByteReader, strings: ByteReader) throws(ObjectError) {
        let header = try BTFHeader(section, minimumSize: 24)
        for table in Table.allCases {
            let field = 8 + 8 * table.rawValue
            guard field + 8 <= header.size else {
                tables.append(BTFExtensionTable(recordSize: table.recordSize))
                continue
            }
            let contents = try section.part(
                header.size + Int(try section.u32(field)), Int(try section.u32(field + 4)),
                what: "\(table.name) of \(section.what)")
            tables.append(try BTFExtensionTable(contents, of: table, strings: strings))
        }
    }

    /// The records of a table that describe a section of code.
    func records(_ table: Table, ofSection section: String) -> [Record] {
        tables[table.rawValue].records(ofSection: section)
    }

    /// Adds records that describe a section of code.
    ///
    /// - Parameter name: where the section's name is in the strings of `.BTF`.
    mutating func add(_ records: [Record], to table: Table, section: String, name: UInt32) {
        tables[table.rawValue].add(records, section: section, name: name)
    }

    /// Adds one function record and one line record at the start of a new program.
    mutating func add(_ entry: Entry, section: String) {
        add([Record(0, entry.function.value, 0, 0)], to: .functions, section: section, name: entry.section)
        // Line 1, column 0.
        add([Record(0, entry.file, entry.line, 1 << 10)], to: .lines, section: section, name: entry.section)
    }

    /// The section's new contents.
    var bytes: [UInt8] {
        var writer = ByteWriter([])
        writer.append16(BTFHeader.magic)
        writer.append8(1)
        writer.append8(0)
        writer.append32(UInt32(Self.headerSize))
        let contents = tables.map(\.bytes)
        var offset = 0
        for table in contents {
            writer.append32(UInt32(offset))
            writer.append32(UInt32(table.count))
            offset += table.count
        }
        for table in contents { writer.append(table) }
        return writer.bytes
    }
}

/// One table of `.BTF.ext`: the size of a record, then per section of code its name, the number of its records and the records.
struct BTFExtensionTable {
    private struct Block {
        let section: String
        /// Where the name is in the strings of `.BTF`.
        let name: UInt32
        /// The words of all records, one record behind the other.
        var words: [UInt32]
    }

    /// How many words a record has.
    private let stride: Int
    private var blocks: [Block] = []

    init(recordSize: Int) { stride = recordSize / 4 }

    init(_ contents: ByteReader, of table: BTFExtensionEditor.Table, strings: ByteReader) throws(ObjectError) {
        guard contents.count > 0 else {
            self.init(recordSize: table.recordSize)
            return
        }
        self.init(recordSize: Int(try contents.u32(0)))
        try BTFExtension.forEachBlock(contents, minimumSize: table.recordSize, strings: strings) { read throws(ObjectError) in
            if read.count == 0 { return }
            let words = try contents.words(read.position, read.count * stride)
            // Two blocks of one section are one: readers look for the first.
            if let index = blocks.firstIndex(where: { $0.section == read.section }) {
                blocks[index].words += words
            } else {
                blocks.append(Block(section: read.section, name: read.name, words: words))
            }
        }
    }

    func records(ofSection section: String) -> [BTFExtensionEditor.Record] {
        guard let words = blocks.first(where: { $0.section == section })?.words else { return [] }
        return Swift.stride(from: 0, to: words.count, by: stride).map { start in
            var record = BTFExtensionEditor.Record()
            for word in 0..<min(stride, record.scalarCount) { record[word] = words[start + word] }
            return record
        }
    }

    mutating func add(_ records: [BTFExtensionEditor.Record], section: String, name: UInt32) {
        if records.isEmpty { return }
        let index = blocks.firstIndex { $0.section == section } ?? blocks.count
        if index == blocks.count { blocks.append(Block(section: section, name: name, words: [])) }
        for record in records {
            // A record has the words that this table's records have; what is not known of one is 0.
            for word in 0..<stride { blocks[index].words.append(word < record.scalarCount ? record[word] : 0) }
        }
        sort(&blocks[index].words)
    }

    /// Readers go through a section's records in the order of instructions, and stop at the first behind what they look for.
    private func sort(_ words: inout [UInt32]) {
        let starts = Array(Swift.stride(from: 0, to: words.count, by: stride))
        if zip(starts, starts.dropFirst()).allSatisfy({ words[$0] <= words[$1] }) { return }
        words = starts.sorted { words[$0] < words[$1] }.flatMap { words[$0..<($0 + stride)] }
    }

    /// Empty if there are no records.
    var bytes: [UInt8] {
        if blocks.isEmpty { return [] }
        var writer = ByteWriter([])
        writer.reserve(4 + blocks.reduce(0) { $0 + 8 + 4 * $1.words.count })
        writer.append32(UInt32(4 * stride))
        for block in blocks {
            writer.append32(block.name)
            writer.append32(UInt32(block.words.count / stride))
            writer.append(block.words)
        }
        return writer.bytes
    }
}
