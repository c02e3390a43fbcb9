// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Writes an object with the linker's decisions applied, so that libbpf can open it: bytes in, bytes out.
///
/// Calls to imports become what the plan says and lose their relocations, undefined symbols become absolute ones, which libbpf
/// does not look at, and a library, or what programs of the object share, gets its entry program. Everything else, byte for
/// byte, stays.
public enum ELFRewriter {
    /// Applies a plan.
    ///
    /// - Parameters:
    ///   - object: the object as it was read.
    ///   - fixups: the instructions to change.
    ///   - unresolved: the weak imports that nobody provides: their type information is made acceptable to any kernel.
    ///   - externs: functions of the object that programs of it import; their ids follow the last type of the object.
    ///   - entry: the entry program to add, for a library or for shared functions.
    /// - Returns: the bytes of the new object; the object's own bytes if there is nothing to do.
    /// - Throws: if a fixup does not find what it expects, or the tables have no room for what is added.
    public static func rewrite(
        _ object: Object, fixups: [Fixup], unresolved: [Import], externs: [ExternFunction] = [], entry: SyntheticEntry?
    ) throws(ObjectError) -> [UInt8] {
        var image = ELFImage(object)
        try image.apply(fixups)
        image.dropRelocations(of: fixups, against: Set(object.imports.map(\.symbol)))
        for wanted in object.imports { try image.hide(wanted.symbol) }
        if !unresolved.isEmpty { try image.rewriteBTF { (btf) throws(ObjectError) in try btf.neutralize(unresolved) } }
        if !externs.isEmpty { try image.rewriteBTF { (btf) throws(ObjectError) in try btf.add(externs) } }
        if let entry { try image.add(entry) }
        return image.bytes
    }
}

/// An ELF file under change. What keeps its size changes in place; what grows is written anew behind the end of the file, where
/// the section's header then points.
private struct ELFImage {
    private let object: Object
    private var file: ByteWriter
    private var headers: [SectionHeader]
    private var isGrown = false

    init(_ object: Object) {
        self.object = object
        file = ByteWriter(object.bytes)
        headers = object.sections.map(SectionHeader.init)
    }

    /// The file as it is now.
    var bytes: [UInt8] {
        var file = file
        if isGrown {
            file.align(8)
            file.put64(UInt64(file.count), at: SectionHeader.tablePositionField)
            file.put16(UInt16(headers.count), at: SectionHeader.tableCountField)
            for header in headers { header.append(to: &file) }
        }
        return file.bytes
    }

    // MARK: In place

    mutating func apply(_ fixups: [Fixup]) throws(ObjectError) {
        for fixup in fixups {
            let position = headers[fixup.section.value].offset + fixup.instruction.byteOffset
            guard object.instruction(fixup.instruction, of: fixup.section) == fixup.before else {
                throw ObjectError(
                    .malformed, "a fixup expects `\(fixup.before)` at instruction \(fixup.instruction) of section "
                        + "\(fixup.sectionName), which is not there", at: FileOffset(position))
            }
            file.put64(fixup.after.word, at: position)
        }
    }

    /// libbpf processes whatever is in a relocation table, so the others move up and the table becomes shorter.
    mutating func dropRelocations(of fixups: [Fixup], against symbols: Set<SymbolIndex>) {
        var fixed: [SectionIndex: Set<InstructionIndex>] = [:]
        for fixup in fixups { fixed[fixup.section, default: []].insert(fixup.instruction) }
        func isDropped(_ relocation: Relocation) -> Bool {
            symbols.contains(relocation.symbol) || fixed[relocation.section]?.contains(relocation.instruction) == true
        }
        let dropped = object.relocations.filter(isDropped)
        for (section, _) in Dictionary(grouping: dropped, by: \.section) {
            guard let table = relocationTable(of: section) else { continue }
            var position = headers[table].offset
            for relocation in object.relocations where relocation.section == section {
                if isDropped(relocation) { continue }
                file.copy(ELFConstant.relocationSize, from: relocation.entry.value, to: position)
                position += ELFConstant.relocationSize
            }
            headers[table].size = position - headers[table].offset
            putSize(ofSection: table)
        }
    }

    /// Makes an undefined symbol absolute: nothing refers to it any more.
    mutating func hide(_ symbol: SymbolIndex) throws(ObjectError) {
        let table = try index(ofType: ELFConstant.sectionSymbols)
        let position = headers[table].offset + symbol.value * ELFConstant.symbolSize
        file.put16(ELFConstant.absoluteSection, at: position + 6)
    }

    private func relocationTable(of section: SectionIndex) -> Int? {
        headers.indices.first {
            headers[$0].type == ELFConstant.sectionRelocations && headers[$0].info == UInt32(section.value)
        }
    }

    private mutating func putSize(ofSection index: Int) {
        let table = Int(file.get64(at: SectionHeader.tablePositionField))
        file.put64(
            UInt64(headers[index].size),
            at: table + index * ELFConstant.sectionHeaderSize + SectionHeader.sizeField)
    }

    // MARK: Growing

    /// Changes `.BTF` through an editor.
    mutating func rewriteBTF(
        _ change: (inout BTFEditor) throws(ObjectError) -> Void
    ) throws(ObjectError) {
        let index = try index(named: ".BTF")
        var editor = try BTFEditor(contents(index))
        try change(&editor)
        replace(index, with: editor.bytes)
    }

    mutating func add(_ entry: SyntheticEntry) throws(ObjectError) {
        let symbols = try index(ofType: ELFConstant.sectionSymbols)
        // The section's and the relocations' index are known before their contents exist.
        let codeIndex = headers.count
        guard codeIndex + 2 < 0xff00 else { throw ObjectError(.unsupported, "has too many sections to add one") }

        var code = ByteWriter([])
        var relocations = ByteWriter([])
        let functions = Dictionary(object.functions.map { ($0.name, $0) }, uniquingKeysWith: { a, _ in a })
        for name in entry.functions {
            guard let function = functions[name] else {
                throw ObjectError(.malformed, "the entry program refers to `\(name)`, which the object does not define")
            }
            relocations.append64(UInt64(code.count))
            relocations.append64(UInt64(function.symbol.value) << 32 | UInt64(Relocation.Kind.wideImmediate.rawValue))
            code.append64(Instruction(opcode: Instruction.wideLoadOpcode, destination: 1).word)
            code.append64(Instruction(opcode: 0).word)
        }
        code.append64(Instruction.zeroResult.word)
        code.append64(Instruction.exit.word)

        var symbol = ByteWriter([])
        symbol.append32(UInt32(try addString(entry.name, to: Int(headers[symbols].link))))
        symbol.append8(Symbol.Binding.global.rawValue << 4 | Symbol.Kind.function.rawValue)
        symbol.append8(Symbol.Visibility.default.rawValue)
        symbol.append16(UInt16(codeIndex))
        symbol.append64(0)
        symbol.append64(UInt64(code.count))
        replace(symbols, with: Array(contents(symbols).all) + symbol.bytes)

        let sectionNames = object.sectionNames.value
        let codeName = try addString(entry.sectionName, to: sectionNames)
        let relocationsName = try addString(".rel" + entry.sectionName, to: sectionNames)
        append(
            SectionHeader(
                name: UInt32(codeName), type: ELFConstant.sectionProgramBits,
                flags: ELFConstant.flagAllocated | ELFConstant.flagExecutable, alignment: 8), code.bytes)
        append(
            SectionHeader(
                name: UInt32(relocationsName), type: ELFConstant.sectionRelocations, link: UInt32(symbols),
                info: UInt32(codeIndex), alignment: 8, entrySize: UInt64(ELFConstant.relocationSize)),
            relocations.bytes)
        try describe(entry)
    }

    /// Gives the entry program a BTF function and, in `.BTF.ext`, a function record and a line: libbpf carries those of the
    /// subprograms over only to a program that has its own.
    private mutating func describe(_ entry: SyntheticEntry) throws(ObjectError) {
        guard let ext = object.sections.first(where: { $0.name == ".BTF.ext" && $0.hasContents })?.index.value else {
            throw ObjectError(.noBTF, "has no .BTF.ext, so its functions have no type records", help: "compile with `-g`")
        }
        var record = BTFExtensionEditor.Entry()
        try rewriteBTF { (btf) throws(ObjectError) in
            record.function = try btf.addEntryFunction(named: entry.name)
            record.section = btf.addString(entry.sectionName)
            record.file = btf.addString("<bpflink>")
            record.line = btf.addString("int \(entry.name)(void *ctx) { /* refers to every export */ return 0; }")
        }
        var editor = try BTFExtensionEditor(contents(ext))
        try editor.add(record)
        replace(ext, with: editor.bytes)
    }

    private func contents(_ index: Int) -> ByteReader {
        let start = headers[index].offset
        let name = object.sections.indices.contains(index) ? object.sections[index].name : ""
        return ByteReader(file.bytes, start..<(start + headers[index].size), what: "section \(name)")
    }

    private mutating func addString(_ string: String, to index: Int) throws(ObjectError) -> Int {
        let old = Array(contents(index).all)
        replace(index, with: old + Array(string.utf8) + [0])
        return old.count
    }

    private mutating func replace(_ index: Int, with contents: [UInt8]) {
        isGrown = true
        file.align(8)
        headers[index].offset = file.count
        headers[index].size = contents.count
        file.append(contents)
    }

    private mutating func append(_ header: SectionHeader, _ contents: [UInt8]) {
        headers.append(header)
        replace(headers.count - 1, with: contents)
    }

    private func index(named name: String) throws(ObjectError) -> Int {
        guard let section = object.sections.first(where: { $0.name == name && $0.hasContents }) else {
            throw ObjectError(.malformed, "has no section \(name)")
        }
        return section.index.value
    }

    private func index(ofType type: UInt32) throws(ObjectError) -> Int {
        guard let section = object.sections.first(where: { $0.type == type }) else {
            throw ObjectError(.malformed, "has no section of type \(type)")
        }
        return section.index.value
    }
}

/// `Elf64_Shdr` under change.
private struct SectionHeader {
    /// Positions in the file header of `e_shoff` and `e_shnum`, and of `sh_size` in a section header.
    static let tablePositionField = 40
    static let tableCountField = 60
    static let sizeField = 32

    var name: UInt32
    var type: UInt32
    var flags: UInt64 = 0
    var address: UInt64 = 0
    var offset = 0
    var size = 0
    var link: UInt32 = 0
    var info: UInt32 = 0
    var alignment: UInt64
    var entrySize: UInt64 = 0

    init(
        name: UInt32, type: UInt32, flags: UInt64 = 0, link: UInt32 = 0, info: UInt32 = 0, alignment: UInt64,
        entrySize: UInt64 = 0
    ) {
        self.name = name
        self.type = type
        self.flags = flags
        self.link = link
        self.info = info
        self.alignment = alignment
        self.entrySize = entrySize
    }

    init(_ section: Section) {
        self.init(
            name: section.nameOffset, type: section.type, flags: section.flags, link: section.link, info: section.info,
            alignment: section.alignment, entrySize: section.entrySize)
        address = section.address
        offset = section.offset.value
        size = section.size
    }

    func append(to file: inout ByteWriter) {
        file.append32(name)
        file.append32(type)
        file.append64(flags)
        file.append64(address)
        file.append64(UInt64(offset))
        file.append64(UInt64(size))
        file.append32(link)
        file.append32(info)
        file.append64(alignment)
        file.append64(entrySize)
    }
}
