// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// What `.BTF.ext` tells about code, by section name (`Documentation/bpf/btf.rst` of the kernel).
struct BTFExtension {
    /// Which `BTF_KIND_FUNC` begins where; offsets in bytes from the start of the section.
    private(set) var functions: [String: [Int: TypeID]] = [:]
    /// Lines of source by section, in the order of instructions.
    private(set) var lines: [String: [Line]] = [:]

    struct Line {
        /// Bytes from the start of the section.
        let offset: Int
        let location: SourceLocation
    }

    /// What an object without `.BTF.ext` has.
    init() {}

    /// - Parameters:
    ///   - section: the contents of `.BTF.ext`.
    ///   - strings: the strings of `.BTF`.
    init(_ section: ByteReader, strings: ByteReader) throws(ObjectError) {
        let header = try BTFHeader(section, minimumSize: 24)
        let functionTable = try section.part(
            header.size + Int(try section.u32(8)), Int(try section.u32(12)), what: "func_info of \(section.what)")
        let lineTable = try section.part(
            header.size + Int(try section.u32(16)), Int(try section.u32(20)), what: "line_info of \(section.what)")

        var beginnings: (section: String, types: [Int: TypeID]) = ("", [:])
        try Self.forEachRecord(functionTable, minimumSize: 8, strings: strings) { name, _, position throws(ObjectError) in
            if name != beginnings.section {
                if !beginnings.types.isEmpty { functions[beginnings.section] = beginnings.types }
                beginnings = (name, functions[name] ?? [:])
            }
            let offset = Int(try functionTable.u32(position))
            beginnings.types[offset] = TypeID(try functionTable.u32(position + 4))
        }
        if !beginnings.types.isEmpty { functions[beginnings.section] = beginnings.types }
        // Nearly all lines are of the section and the file of the line before.
        var files: [UInt32: String] = [:]
        var last: (offset: UInt32, file: String)?
        var current: (section: String, lines: [Line]) = ("", [])
        try Self.forEachRecord(lineTable, minimumSize: 16, strings: strings) { name, _, position throws(ObjectError) in
            if name != current.section {
                lines[current.section, default: []] += current.lines
                current = (name, [])
            }
            let fileOffset = try lineTable.u32(position + 4)
            if last?.offset != fileOffset { last = (fileOffset, try Self.file(fileOffset, of: strings, &files)) }
            let place = try lineTable.u32(position + 12)
            let location = SourceLocation(file: last?.file ?? "", line: Int(place >> 10), column: Int(place & 0x3ff))
            current.lines.append(Line(offset: Int(try lineTable.u32(position)), location: location))
        }
        lines[current.section, default: []] += current.lines
        for name in lines.keys { lines[name]?.sort { $0.offset < $1.offset } }
    }

    private static func file(
        _ offset: UInt32, of strings: ByteReader, _ known: inout [UInt32: String]
    ) throws(ObjectError) -> String {
        if let file = known[offset] { return file }
        var path = Substring(try strings.string(Int(offset)))
        // Of a header that is included by its name alone, the directory is that of the file, which may be `.` as well.
        while path.hasPrefix("./") { path = path.dropFirst(2) }
        known[offset] = String(path)
        return String(path)
    }

    /// The line that an instruction belongs to: the last one that begins at or before it, within its function.
    func source(section: String, instruction: InstructionIndex, function: Range<InstructionIndex>) -> SourceLocation? {
        guard let lines = lines[section] else { return nil }
        var low = 0
        var high = lines.count
        while low < high {
            let middle = (low + high) / 2
            if lines[middle].offset <= instruction.byteOffset { low = middle + 1 } else { high = middle }
        }
        guard low > 0, lines[low - 1].offset >= function.lowerBound.byteOffset else { return nil }
        return lines[low - 1].location
    }

    /// `MAX_FUNCINFO_REC_SIZE` and `MAX_LINEINFO_REC_SIZE` of `kernel/bpf/check_btf.c`. A table without records may state any
    /// size, and whoever adds one writes that much.
    private static let maximumRecordSize = 252

    /// Walks a table: the size of a record, then per section its name, the number of its records and the records.
    ///
    /// - Parameter body: gets the section's name, where in `strings` that is, and where the record is.
    static func forEachRecord(
        _ table: ByteReader, minimumSize: Int, strings: ByteReader,
        _ body: (_ section: String, _ name: UInt32, _ position: Int) throws(ObjectError) -> Void
    ) throws(ObjectError) {
        if table.count == 0 { return }
        let recordSize = Int(try table.u32(0))
        guard recordSize >= minimumSize, recordSize <= maximumRecordSize, recordSize % 4 == 0 else {
            throw ObjectError(.malformed, "\(table.what) states records of \(recordSize) bytes", at: table.place(0))
        }
        var position = 4
        while position < table.count {
            let nameOffset = try table.u32(position)
            let name = try strings.string(Int(nameOffset))
            let count = Int(try table.u32(position + 4))
            position += 8
            guard count <= (table.count - position) / recordSize else {
                throw ObjectError(
                    .malformed, "\(table.what) states \(count) records where \((table.count - position) / recordSize) fit",
                    at: table.place(position - 4))
            }
            for _ in 0..<count {
                try body(name, nameOffset, position)
                position += recordSize
            }
        }
    }
}
