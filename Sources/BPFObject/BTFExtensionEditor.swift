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
        var function = TypeID.void
        var section: UInt32 = 0
        var file: UInt32 = 0
        var line: UInt32 = 0
    }

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
    func records(_ table: Table, ofSection section: String) -> [[UInt32]] {
        tables[table.rawValue].blocks.filter { $0.section == section }.flatMap(\.records)
    }

    /// Adds records that describe a section of code.
    ///
    /// - Parameter name: where the section's name is in the strings of `.BTF`.
    mutating func add(_ records: [[UInt32]], to table: Table, section: String, name: UInt32) {
        tables[table.rawValue].add(records, section: section, name: name)
    }

    /// Adds one function record and one line record at the start of a new program.
    mutating func add(_ entry: Entry, section: String) {
        add([[0, entry.function.value]], to: .functions, section: section, name: entry.section)
        // Line 1, column 0.
        add([[0, entry.file, entry.line, 1 << 10]], to: .lines, section: section, name: entry.section)
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
    struct Block {
        let section: String
        /// Where the name is in the strings of `.BTF`.
        let name: UInt32
        /// Each as the words that it consists of.
        var records: [[UInt32]]
    }

    private let recordSize: Int
    private(set) var blocks: [Block] = []

    init(recordSize: Int) { self.recordSize = recordSize }

    init(_ contents: ByteReader, of table: BTFExtensionEditor.Table, strings: ByteReader) throws(ObjectError) {
        guard contents.count > 0 else {
            self.init(recordSize: table.recordSize)
            return
        }
        self.init(recordSize: Int(try contents.u32(0)))
        var last = -1
        try BTFExtension.forEachRecord(contents, minimumSize: table.recordSize, strings: strings) {
            section, name, position throws(ObjectError) in
            var record: [UInt32] = []
            for word in 0..<recordSize / 4 { record.append(try contents.u32(position + 4 * word)) }
            // Two blocks of one section are one: readers look for the first.
            if last >= 0, blocks[last].section == section {
                blocks[last].records.append(record)
            } else if let index = blocks.firstIndex(where: { $0.section == section }) {
                blocks[index].records.append(record)
                last = index
            } else {
                blocks.append(Block(section: section, name: name, records: [record]))
                last = blocks.count - 1
            }
        }
    }

    mutating func add(_ records: [[UInt32]], section: String, name: UInt32) {
        if records.isEmpty { return }
        // A record has the words that this table's records have; what is not known of one is 0.
        let words = recordSize / 4
        let records = records.map { record in (0..<words).map { $0 < record.count ? record[$0] : 0 } }
        if let index = blocks.firstIndex(where: { $0.section == section }) {
            blocks[index].records += records
            // Readers go through a section's records in the order of instructions, and stop at the first behind what they look for.
            blocks[index].records.sort { $0[0] < $1[0] }
        } else {
            blocks.append(Block(section: section, name: name, records: records.sorted { $0[0] < $1[0] }))
        }
    }

    /// Empty if there are no records.
    var bytes: [UInt8] {
        if blocks.isEmpty { return [] }
        var writer = ByteWriter([])
        writer.append32(UInt32(recordSize))
        for block in blocks {
            writer.append32(block.name)
            writer.append32(UInt32(block.records.count))
            for record in block.records {
                for word in record { writer.append32(word) }
            }
        }
        return writer.bytes
    }
}
