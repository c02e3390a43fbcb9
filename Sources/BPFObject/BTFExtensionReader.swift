// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// What `.BTF.ext` tells about code, by section name (`Documentation/bpf/btf.rst` of the kernel).
struct BTFExtension {
    /// Which `BTF_KIND_FUNC` begins where; offsets in bytes from the start of the section.
    private(set) var functions: [String: [Int: TypeID]] = [:]
    /// Lines of source by section, in the order of instructions.
    private var lines: [String: [Line]] = [:]
    /// The names of files, by where they are in the strings.
    private var files: [UInt32: String] = [:]

    /// As it is stored: hardly any line is ever asked for.
    private struct Line {
        /// Bytes from the start of the section.
        let offset: UInt32
        let file: UInt32
        /// Number and column.
        let place: UInt32
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

        try Self.forEachBlock(functionTable, minimumSize: 8, strings: strings) { block throws(ObjectError) in
            if block.count == 0 { return }
            var types = functions[block.section] ?? Dictionary(minimumCapacity: block.count)
            for index in 0..<block.count {
                let position = block.position + index * block.recordSize
                types[Int(try functionTable.u32(position))] = TypeID(try functionTable.u32(position + 4))
            }
            functions[block.section] = types
        }
        try Self.forEachBlock(lineTable, minimumSize: 16, strings: strings) { block throws(ObjectError) in
            var last: Line?
            var isSorted = true
            var added: [Line] = []
            added.reserveCapacity(block.count)
            let stride = block.recordSize / 4
            let words = try lineTable.words(block.position, block.count * stride)
            for start in Swift.stride(from: 0, to: words.count, by: stride) {
                let line = Line(offset: words[start], file: words[start + 1], place: words[start + 3])
                // Nearly all lines are of the file of the line before.
                if last?.file != line.file, files[line.file] == nil { files[line.file] = try Self.file(line.file, of: strings) }
                if let last, line.offset < last.offset { isSorted = false }
                added.append(line)
                last = line
            }
            if let known = lines[block.section] {
                added = known + added
                isSorted = false
            }
            if !isSorted { added.sort { $0.offset < $1.offset } }
            lines[block.section] = added
        }
    }

    private static func file(_ offset: UInt32, of strings: ByteReader) throws(ObjectError) -> String {
        var path = Substring(try strings.string(Int(offset)))
        // Of a header that is included by its name alone, the directory is that of the file, which may be `.` as well.
        while path.hasPrefix("./") { path = path.dropFirst(2) }
        return String(path)
    }

    /// The line that an instruction belongs to: the last one that begins at or before it, within its function.
    func source(section: String, instruction: InstructionIndex, function: Range<InstructionIndex>) -> SourceLocation? {
        guard let lines = lines[section] else { return nil }
        var low = 0
        var high = lines.count
        while low < high {
            let middle = (low + high) / 2
            if Int(lines[middle].offset) <= instruction.byteOffset { low = middle + 1 } else { high = middle }
        }
        guard low > 0, Int(lines[low - 1].offset) >= function.lowerBound.byteOffset else { return nil }
        let (file, place) = (lines[low - 1].file, lines[low - 1].place)
        return SourceLocation(file: files[file] ?? "", line: Int(place >> 10), column: Int(place & 0x3ff))
    }

    /// `MAX_FUNCINFO_REC_SIZE` and `MAX_LINEINFO_REC_SIZE` of `kernel/bpf/check_btf.c`. A table without records may state any
    /// size, and whoever adds one writes that much.
    private static let maximumRecordSize = 252

    /// Records of one section of code.
    struct Block {
        let section: String
        /// Where the section's name is in the strings of `.BTF`.
        let name: UInt32
        /// Where the first record is.
        let position: Int
        let count: Int
        let recordSize: Int
    }

    /// Walks a table: the size of a record, then per section of code its name, the number of its records and the records.
    static func forEachBlock(
        _ table: ByteReader, minimumSize: Int, strings: ByteReader, _ body: (Block) throws(ObjectError) -> Void
    ) throws(ObjectError) {
        if table.count == 0 { return }
        let recordSize = Int(try table.u32(0))
        guard recordSize >= minimumSize, recordSize <= maximumRecordSize, recordSize % 4 == 0 else {
            throw ObjectError(.malformed, "\(table.what) states records of \(recordSize) bytes", at: table.place(0))
        }
        var position = 4
        while position < table.count {
            let name = try table.u32(position)
            let section = try strings.string(Int(name))
            let count = Int(try table.u32(position + 4))
            position += 8
            guard count <= (table.count - position) / recordSize else {
                throw ObjectError(
                    .malformed, "\(table.what) states \(count) records where \((table.count - position) / recordSize) fit",
                    at: table.place(position - 4))
            }
            try body(Block(section: section, name: name, position: position, count: count, recordSize: recordSize))
            position += count * recordSize
        }
    }
}
