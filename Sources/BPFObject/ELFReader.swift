// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import CLibelf

/// The tables of an ELF file, read with libelf and checked against the bytes. The only file that knows libelf.
///
/// libelf finds the tables; every offset and size that they state is checked here before anything is read through it, and
/// contents are read from the Swift array, never through a C pointer.
struct ELFReader {
    let bytes: [UInt8]
    private(set) var sections: [Section] = []
    /// The section that holds the names of sections.
    private(set) var sectionNames = SectionIndex(0)
    private(set) var symbols: [Symbol] = []
    /// Relocations of the code sections.
    private(set) var relocations: [Relocation] = []
    /// Relocations of the other sections that a program sees: data, maps.
    private(set) var dataRelocations: [Relocation] = []

    /// Reads the tables.
    ///
    /// - Throws: ``ObjectError``: not an ELF file, not a BPF object, truncated, or tables that contradict the file.
    init(_ bytes: [UInt8]) throws(ObjectError) {
        self.bytes = bytes
        try Self.checkIdentity(bytes)
        let found = try Self.readHeaders(bytes)
        sections = try readSections(found)
        sectionNames = SectionIndex(found.namesIndex)
        try checkOverlaps(found)
        if let table = try symbolTable() {
            symbols = try readSymbols(table)
            let all = try readRelocations(symbolTable: table)
            relocations = all.filter { sections[$0.section.value].isCode }
            dataRelocations = all.filter { !sections[$0.section.value].isCode }
        }
    }

    /// The contents of a section.
    func contents(of section: Section) -> ByteReader {
        ByteReader(bytes, section)
    }

    // MARK: File header

    private static func checkIdentity(_ bytes: [UInt8]) throws(ObjectError) {
        guard bytes.count >= 4, bytes[0] == 0x7f, bytes[1] == 0x45, bytes[2] == 0x4c, bytes[3] == 0x46 else {
            throw ObjectError(
                .notELF, bytes.isEmpty ? "is empty, not an ELF file" : "is not an ELF file",
                help: "a BPF object is what `clang -O2 -g -target bpf -c` writes")
        }
        let header = ByteReader(bytes, 0..<min(bytes.count, ELFConstant.headerSize), what: "the ELF header")
        guard header.count == ELFConstant.headerSize else {
            throw ObjectError(
                .truncated, "is cut off within the ELF header (\(bytes.count) of \(ELFConstant.headerSize) bytes)",
                at: FileOffset(bytes.count))
        }
        let help = "compile with `-target bpf`"
        guard try header.u8(Int(EI_CLASS)) == ELFCLASS64, try header.u8(Int(EI_DATA)) == ELFDATA2LSB else {
            throw ObjectError(
                .wrongMachine, "is not a 64-bit little-endian ELF file", at: FileOffset(Int(EI_CLASS)), help: help)
        }
        let machine = try header.u16(18)
        guard machine == EM_BPF else {
            throw ObjectError(
                .wrongMachine, "is for machine \(machine), not for BPF (\(EM_BPF))", at: FileOffset(18), help: help)
        }
        let type = try header.u16(16)
        guard type == ET_REL else {
            throw ObjectError(
                .wrongMachine, "has ELF type \(type), not that of a relocatable object (\(ET_REL))", at: FileOffset(16))
        }
    }

    // MARK: Sections

    /// The section header table, as libelf finds it.
    private struct HeaderTable {
        var headers: [GElf_Shdr] = []
        /// The section that names the others.
        var namesIndex = 0
        /// Where the table begins in the file.
        var position = 0
    }

    private static func readHeaders(_ bytes: [UInt8]) throws(ObjectError) -> HeaderTable {
        // libelf wants memory that it may write to; it gets a copy.
        var image = bytes
        let result = image.withUnsafeMutableBytes { image in
            Result { () throws(ObjectError) in try readHeaders(image) }
        }
        return try result.get()
    }

    private static func readHeaders(_ image: UnsafeMutableRawBufferPointer) throws(ObjectError) -> HeaderTable {
        elf_version(UInt32(EV_CURRENT))
        guard let elf = elf_memory(image.baseAddress?.assumingMemoryBound(to: CChar.self), image.count) else {
            throw failure("cannot be opened")
        }
        defer { elf_end(elf) }

        var header = GElf_Ehdr()
        guard gelf_getehdr(elf, &header) != nil else { throw failure("has no ELF header") }
        guard Int(header.e_shentsize) == ELFConstant.sectionHeaderSize else {
            throw ObjectError(.malformed, "states section headers of \(header.e_shentsize) bytes", at: FileOffset(58))
        }
        var table = HeaderTable(position: Int(clamping: header.e_shoff))
        // libelf takes a table that does not fit for none. Where there are very many, the first section tells how many.
        try checkHeaders(max(1, Int(header.e_shnum)), at: table.position, fit: image.count)
        var count = 0
        guard elf_getshdrnum(elf, &count) == 0 else { throw failure("has no readable section header table") }
        guard count > 0 else { throw ObjectError(.malformed, "has no sections", at: FileOffset(60)) }
        guard elf_getshdrstrndx(elf, &table.namesIndex) == 0 else { throw failure("has no section names") }
        try checkHeaders(count, at: table.position, fit: image.count)

        table.headers.reserveCapacity(count)
        for index in 0..<count {
            var section = GElf_Shdr()
            guard let handle = elf_getscn(elf, index), gelf_getshdr(handle, &section) != nil else {
                throw failure("has no readable header of section \(index)")
            }
            table.headers.append(section)
        }
        return table
    }

    private static func checkHeaders(_ count: Int, at position: Int, fit size: Int) throws(ObjectError) {
        guard position <= size, count <= (size - position) / ELFConstant.sectionHeaderSize else {
            throw ObjectError(
                .truncated, "is cut off: section headers at \(position) reach beyond the end of the file (\(size) bytes)",
                at: FileOffset(40))
        }
    }

    private func readSections(_ table: HeaderTable) throws(ObjectError) -> [Section] {
        let headers = table.headers
        let namesIndex = table.namesIndex
        func place(_ index: Int) -> FileOffset {
            FileOffset(table.position + index * ELFConstant.sectionHeaderSize)
        }

        func range(_ index: Int) throws(ObjectError) -> Range<Int> {
            let header = headers[index]
            guard header.sh_offset <= UInt64(bytes.count), header.sh_size <= UInt64(bytes.count) - header.sh_offset else {
                throw ObjectError(
                    .truncated,
                    "is cut off: section \(index) (\(header.sh_size) bytes at \(header.sh_offset)) reaches beyond the end "
                        + "of the file (\(bytes.count) bytes)",
                    at: place(index))
            }
            return Int(header.sh_offset)..<Int(header.sh_offset + header.sh_size)
        }

        guard namesIndex > 0, namesIndex < headers.count, headers[namesIndex].sh_type == SHT_STRTAB else {
            throw ObjectError(.malformed, "states section \(namesIndex) as that of the section names", at: FileOffset(62))
        }
        let names = ByteReader(bytes, try range(namesIndex), what: "the section names")
        var sections: [Section] = []
        for (index, header) in headers.enumerated() {
            let hasContents = header.sh_type != SHT_NOBITS && header.sh_type != SHT_NULL
            // What occupies memory only is not bounded by the file; libbpf makes maps of at most 4 GiB of it.
            guard hasContents || header.sh_size <= UInt64(UInt32.max) else {
                throw ObjectError(
                    .malformed, "section \(index) states \(header.sh_size) bytes of memory", at: place(index))
            }
            let contents = hasContents ? try range(index) : 0..<0
            sections.append(
                Section(
                    index: SectionIndex(index), name: index == 0 ? "" : try names.string(Int(header.sh_name)),
                    type: header.sh_type, flags: header.sh_flags, offset: FileOffset(contents.lowerBound),
                    size: hasContents ? contents.count : Int(header.sh_size), link: header.sh_link,
                    info: header.sh_info, alignment: header.sh_addralign, entrySize: header.sh_entsize,
                    address: header.sh_addr, nameOffset: header.sh_name))
        }
        return sections
    }

    /// Sections of an object file do not overlap, nor do its headers with them. If they could, a change of one would change another,
    /// and a small file could make its reader work without end.
    private func checkOverlaps(_ table: HeaderTable) throws(ObjectError) {
        var parts = sections.filter { !$0.range.isEmpty }.map { (range: $0.range, name: "section \($0.name)") }
        let end = table.position + sections.count * ELFConstant.sectionHeaderSize
        parts += [(0..<ELFConstant.headerSize, "the ELF header"), (table.position..<end, "the section headers")]
        parts.sort { $0.range.lowerBound < $1.range.lowerBound }
        for (part, next) in zip(parts, parts.dropFirst()) where part.range.upperBound > next.range.lowerBound {
            throw ObjectError(
                .malformed, "\(part.name) and \(next.name) overlap in the file", at: FileOffset(next.range.lowerBound))
        }
    }

    // MARK: Symbols and relocations

    private func symbolTable() throws(ObjectError) -> Section? {
        let tables = sections.filter { $0.type == SHT_SYMTAB }
        guard tables.count <= 1 else { throw ObjectError(.malformed, "has \(tables.count) symbol tables") }
        return tables.first
    }

    private func readSymbols(_ table: Section) throws(ObjectError) -> [Symbol] {
        try checkEntries(table, size: ELFConstant.symbolSize)
        guard table.link > 0, table.link < sections.count, sections[Int(table.link)].type == SHT_STRTAB else {
            throw ObjectError(
                .malformed, "section \(table.name) states section \(table.link) as that of its names", at: table.offset)
        }
        let reader = contents(of: table)
        let names = contents(of: sections[Int(table.link)])
        var cache: [UInt32: String] = [0: ""]
        var symbols: [Symbol] = []
        symbols.reserveCapacity(table.size / ELFConstant.symbolSize)
        for index in 0..<(table.size / ELFConstant.symbolSize) {
            let position = index * ELFConstant.symbolSize
            let nameOffset = try reader.u32(position)
            let name: String
            if let known = cache[nameOffset] {
                name = known
            } else {
                name = try names.string(Int(nameOffset))
                cache[nameOffset] = name
            }
            let info = try reader.u8(position + 4)
            let section = try reader.u16(position + 6)
            guard section >= SHN_LORESERVE || Int(section) < sections.count else {
                throw ObjectError(
                    .malformed, "symbol \(index) (`\(name)`) states section \(section) of \(sections.count)",
                    at: reader.place(position + 6))
            }
            symbols.append(
                Symbol(
                    index: SymbolIndex(index), name: name, value: try reader.u64(position + 8),
                    size: try reader.u64(position + 16), binding: Symbol.Binding(rawValue: info >> 4),
                    kind: Symbol.Kind(rawValue: info & 0xf),
                    visibility: Symbol.Visibility(rawValue: try reader.u8(position + 5) & 0x3),
                    sectionNumber: section))
        }
        return symbols
    }

    private func readRelocations(symbolTable: Section) throws(ObjectError) -> [Relocation] {
        var relocations: [Relocation] = []
        var patched: Set<UInt32> = []
        for table in sections where table.type == SHT_REL || table.type == SHT_RELA {
            guard table.info < sections.count else {
                throw ObjectError(
                    .malformed, "section \(table.name) patches section \(table.info) of \(sections.count)",
                    at: table.offset)
            }
            let target = sections[Int(table.info)]
            guard target.isCode || target.flags & ELFConstant.flagAllocated != 0 else { continue }
            guard patched.insert(table.info).inserted else {
                throw ObjectError(
                    .malformed, "section \(target.name) has more than one table of relocations", at: table.offset)
            }
            guard table.type == SHT_REL else {
                throw ObjectError(
                    .unsupported, "section \(table.name) has relocations with addends, which BPF objects have not",
                    at: table.offset)
            }
            guard table.link == UInt32(symbolTable.index.value) else {
                throw ObjectError(
                    .malformed, "section \(table.name) refers to symbols in section \(table.link)", at: table.offset)
            }
            try checkEntries(table, size: ELFConstant.relocationSize)
            let reader = contents(of: table)
            for index in 0..<(table.size / ELFConstant.relocationSize) {
                let position = index * ELFConstant.relocationSize
                let offset = try reader.u64(position)
                let info = try reader.u64(position + 8)
                let unit = UInt64(target.isCode ? Instruction.size : 1)
                guard offset % unit == 0, offset < UInt64(target.size) else {
                    throw ObjectError(
                        .malformed, "relocation \(index) of section \(target.name) is at \(offset) of \(target.size) bytes",
                        at: reader.place(position))
                }
                let symbol = info >> 32
                guard symbol < UInt64(symbols.count) else {
                    throw ObjectError(
                        .malformed,
                        "relocation \(index) of section \(target.name) refers to symbol \(symbol) of \(symbols.count)",
                        at: reader.place(position + 8))
                }
                relocations.append(
                    Relocation(
                        section: target.index, offset: offset, symbol: SymbolIndex(Int(symbol)),
                        kind: Relocation.Kind(rawValue: UInt32(truncatingIfNeeded: info)),
                        entry: reader.place(position)))
            }
        }
        return relocations
    }

    private func checkEntries(_ table: Section, size: Int) throws(ObjectError) {
        guard table.entrySize == UInt64(size), table.size % size == 0 else {
            throw ObjectError(
                .malformed, "section \(table.name) has \(table.size) bytes in entries of \(table.entrySize), not of \(size)",
                at: table.offset)
        }
    }

    /// What libelf said about the call that just failed.
    private static func failure(_ message: String) -> ObjectError {
        ObjectError(.malformed, message, cause: elf_errmsg(elf_errno()).map { String(cString: $0) })
    }
}
