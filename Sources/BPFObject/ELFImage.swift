// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// An ELF file under change. What keeps its size changes in place; what grows is written anew behind the end of the file, where
/// the section's header then points.
struct ELFImage {
    private let object: Object
    private var file: ByteWriter
    private var headers: [SectionHeader]
    private var isGrown = false
    private var sectionSymbols: [Int: SymbolIndex] = [:]
    /// What is added to sections: they are written anew once, however much is added.
    private var added: [Int: ByteWriter] = [:]
    /// `.BTF` and `.BTF.ext` under change; they are written anew once as well.
    private var types: BTFEditor?
    private var extensions: BTFExtensionEditor?

    init(_ object: Object) {
        self.object = object
        file = ByteWriter(object.bytes)
        headers = object.sections.map(SectionHeader.init)
    }

    /// Writes everything that changed.
    ///
    /// - Returns: the file.
    consuming func finished() throws(ObjectError) -> [UInt8] {
        var changed: [(index: Int, contents: [UInt8])] = []
        for (name, contents) in [(".BTF", types?.bytes), (".BTF.ext", extensions?.bytes)] {
            guard let contents else { continue }
            let index = try index(named: name)
            changed.append((index, contents))
            // What relocations of it patch, which is none of the programs' business, is elsewhere now.
            if let table = relocationTable(of: SectionIndex(index)) { headers[table].size = 0 }
        }
        for (section, more) in added.sorted(by: { $0.key < $1.key }) {
            changed.append((section, Array(contents(section).all) + more.bytes))
        }
        file.reserve(changed.reduce(8 + headers.count * ELFConstant.sectionHeaderSize) { $0 + 8 + $1.contents.count })
        for (index, contents) in changed { replace(index, with: contents) }
        guard isGrown else { return file.bytes }
        file.align(8)
        file.put64(UInt64(file.count), at: SectionHeader.tablePositionField)
        file.put16(UInt16(headers.count), at: SectionHeader.tableCountField)
        for header in headers { header.append(to: &file) }
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
    mutating func makeAbsolute(_ symbol: SymbolIndex) throws(ObjectError) {
        file.put16(ELFConstant.absoluteSection, at: try position(of: symbol) + 6)
    }

    /// Keeps a global function to the object, as `__hidden` does: libbpf tells the kernel that it is static. A `static` one is left
    /// as it is.
    mutating func makeHidden(_ symbol: SymbolIndex) throws(ObjectError) {
        if object.symbols[symbol.value].binding == .local { return }
        file.put([Symbol.Visibility.hidden.rawValue], at: try position(of: symbol) + 5)
    }

    /// Where the table of symbols of the file, as it was read, has a symbol.
    private func position(of symbol: SymbolIndex) throws(ObjectError) -> Int {
        let table = try index(ofType: ELFConstant.sectionSymbols)
        return headers[table].offset + symbol.value * ELFConstant.symbolSize
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

    // MARK: Shrinking

    /// The file without the contents of the sections that `isDropped` names; they keep their places in the table of sections.
    func bytes(without isDropped: (Section) -> Bool) -> [UInt8] {
        var smaller = ByteWriter(Array(file.bytes.prefix(ELFConstant.headerSize)))
        var headers = headers
        for section in object.sections where section.hasContents {
            let index = section.index.value
            if isDropped(section) {
                // No type that anything is read from: a table that goes may be called as the license is.
                headers[index] = SectionHeader(name: headers[index].name, type: ELFConstant.sectionNull, alignment: 1)
                continue
            }
            let contents = Array(contents(index).all)
            smaller.align(8)
            headers[index].offset = smaller.count
            smaller.append(contents)
        }
        smaller.align(8)
        smaller.put64(UInt64(smaller.count), at: SectionHeader.tablePositionField)
        for header in headers { header.append(to: &smaller) }
        return smaller.bytes
    }

    // MARK: Copies of other objects' functions

    /// Puts the functions in place, and everything that tells about them.
    mutating func add(_ copies: CodeCopies) throws(ObjectError) {
        let text = try textSection()
        let copier = try CodeCopier(copies, to: text, of: &self)
        _ = add(copier.code.bytes, to: text)
        try addRelocations(copier.relocations, to: text)

        var (types, extensions) = try takeDescription()
        try CopyDescription(of: copies, copier).add(to: &types, &extensions)
        (self.types, self.extensions) = (types, extensions)
    }

    /// A symbol to be defined; without a section, one that refers to something outside of the object.
    struct NewSymbol {
        var name: String
        var binding: Symbol.Binding
        var kind: Symbol.Kind
        var section: UInt16 = 0
        var value: UInt64 = 0
        var size: UInt64 = 0
    }

    /// Defines a symbol.
    ///
    /// - Parameter index: an undefined symbol that is to be this one; nil adds one.
    mutating func define(_ symbol: NewSymbol, at index: SymbolIndex?) throws(ObjectError) -> SymbolIndex {
        let table = try self.index(ofType: ELFConstant.sectionSymbols)
        var entry = ByteWriter([])
        entry.append32(0)
        entry.append8(symbol.binding.rawValue << 4 | symbol.kind.rawValue)
        entry.append8(Symbol.Visibility.default.rawValue)
        entry.append16(symbol.section)
        entry.append64(symbol.value)
        entry.append64(symbol.size)
        if let index {
            // The name stays.
            file.put(Array(entry.bytes.dropFirst(4)), at: try position(of: index) + 4)
            return index
        }
        entry.put32(UInt32(addString(symbol.name, to: Int(headers[table].link))), at: 0)
        return SymbolIndex(add(entry.bytes, to: table) / ELFConstant.symbolSize)
    }

    /// The object's own reference to something outside of it, which is no import.
    func undefinedSymbol(named name: String) -> SymbolIndex? {
        let imports = Set(object.imports.map(\.symbol))
        return object.symbols.first { $0.isUndefined && $0.name == name && !imports.contains($0.index) }?.index
    }

    /// The symbol that stands for the start of a section, which is made if there is none.
    mutating func sectionSymbol(of section: Int) throws(ObjectError) -> SymbolIndex {
        if let known = sectionSymbols[section] { return known }
        let symbol: SymbolIndex
        // One with a value, which no compiler writes, stands for another place.
        if let own = object.symbols.first(where: { $0.kind == .section && Int($0.sectionNumber) == section && $0.value == 0 }) {
            symbol = own.index
        } else {
            symbol = try define(NewSymbol(name: "", binding: .local, kind: .section, section: UInt16(section)), at: nil)
        }
        sectionSymbols[section] = symbol
        return symbol
    }

    func size(of section: Int) -> Int { headers[section].size }

    /// The section of subprograms, which is made if the object has none.
    private mutating func textSection() throws(ObjectError) -> Int {
        if let text = object.sections.first(where: { $0.isCode && $0.name == ".text" }) { return text.index.value }
        let name = UInt32(addString(".text", to: object.sectionNames.value))
        return try append(
            SectionHeader(
                name: name, type: ELFConstant.sectionProgramBits,
                flags: ELFConstant.flagAllocated | ELFConstant.flagExecutable, alignment: 8), [])
    }

    private mutating func addRelocations(
        _ added: [(at: InstructionIndex, symbol: SymbolIndex, kind: Relocation.Kind)], to section: Int
    ) throws(ObjectError) {
        if added.isEmpty { return }
        var entries = ByteWriter([])
        for (at, symbol, kind) in added {
            entries.append64(UInt64(at.byteOffset))
            entries.append64(UInt64(symbol.value) << 32 | UInt64(kind.rawValue))
        }
        if let table = relocationTable(of: SectionIndex(section)) {
            _ = add(entries.bytes, to: table)
            return
        }
        let name = UInt32(addString(".rel.text", to: object.sectionNames.value))
        _ = try append(
            SectionHeader(
                name: name, type: ELFConstant.sectionRelocations,
                link: UInt32(try index(ofType: ELFConstant.sectionSymbols)), info: UInt32(section), alignment: 8,
                entrySize: UInt64(ELFConstant.relocationSize)), entries.bytes)
    }

    // MARK: Growing

    /// Changes `.BTF` through an editor.
    mutating func changeTypes(_ change: (inout BTFEditor) throws(ObjectError) -> Void) throws(ObjectError) {
        var editor = try takeTypes()
        try change(&editor)
        types = editor
    }

    /// The editor of `.BTF`, which is to be put back.
    private mutating func takeTypes() throws(ObjectError) -> BTFEditor {
        defer { types = nil }
        if let types { return types }
        guard let btf = object.btf else { throw ObjectError(.malformed, "has no section .BTF") }
        return try BTFEditor(btf)
    }

    /// The editors of `.BTF` and, if the object has that, of `.BTF.ext`, which are to be put back.
    private mutating func takeDescription() throws(ObjectError) -> (BTFEditor, BTFExtensionEditor?) {
        let editor = try takeTypes()
        defer { extensions = nil }
        if let extensions { return (editor, extensions) }
        guard let ext = object.section(named: ".BTF.ext"), let btf = object.btf else { return (editor, nil) }
        return (editor, try BTFExtensionEditor(object.contents(of: ext), strings: BTF.strings(btf.section)))
    }

    mutating func add(_ entry: SyntheticEntry) throws(ObjectError) {
        let symbols = try index(ofType: ELFConstant.sectionSymbols)
        // The section's and the relocations' index are known before their contents exist.
        let codeIndex = headers.count

        var code = ByteWriter([])
        var relocations = ByteWriter([])
        // Of several functions of a name, which can only be `static`, the one that is offered is meant.
        let functions = Dictionary(
            object.functions.map { ($0.name, $0) }, uniquingKeysWith: { $0.role == .static ? $1 : $0 })
        for name in entry.functions {
            guard let function = functions[name] else {
                throw ObjectError(.malformed, "the entry program refers to `\(name)`, which the object does not define")
            }
            // libbpf finds a `static` function by its place in the section, not by a symbol of its own.
            let isLocal = object.symbols[function.symbol.value].binding == .local
            let symbol = isLocal ? try sectionSymbol(of: function.section.value) : function.symbol
            let place = isLocal ? Int32(clamping: function.instructions.lowerBound.byteOffset) : 0
            relocations.append64(UInt64(code.count))
            relocations.append64(UInt64(symbol.value) << 32 | UInt64(Relocation.Kind.wideImmediate.rawValue))
            code.append64(Instruction(opcode: Instruction.wideLoadOpcode, destination: 1, immediate: place).word)
            code.append64(Instruction(opcode: 0).word)
        }
        if let digest = entry.digest {
            code.append64(
                Instruction(
                    opcode: Instruction.wideLoadOpcode, immediate: Int32(truncatingIfNeeded: Int64(bitPattern: digest))).word)
            code.append64(
                Instruction(opcode: 0, immediate: Int32(truncatingIfNeeded: Int64(bitPattern: digest) >> 32)).word)
        }
        code.append64(Instruction.zeroResult.word)
        code.append64(Instruction.exit.word)

        _ = try define(
            NewSymbol(
                name: entry.name, binding: .global, kind: .function, section: UInt16(clamping: codeIndex),
                size: UInt64(code.count)), at: nil)

        let sectionNames = object.sectionNames.value
        let codeName = addString(entry.sectionName, to: sectionNames)
        let relocationsName = addString(".rel" + entry.sectionName, to: sectionNames)
        _ = try append(
            SectionHeader(
                name: UInt32(codeName), type: ELFConstant.sectionProgramBits,
                flags: ELFConstant.flagAllocated | ELFConstant.flagExecutable, alignment: 8), code.bytes)
        _ = try append(
            SectionHeader(
                name: UInt32(relocationsName), type: ELFConstant.sectionRelocations, link: UInt32(symbols),
                info: UInt32(codeIndex), alignment: 8, entrySize: UInt64(ELFConstant.relocationSize)),
            relocations.bytes)
        try describe(entry)
    }

    /// Gives the entry program a BTF function and, in `.BTF.ext`, a function record and a line: libbpf carries those of the
    /// subprograms over only to a program that has its own.
    private mutating func describe(_ entry: SyntheticEntry) throws(ObjectError) {
        var (types, extensions) = try takeDescription()
        guard extensions != nil else {
            throw ObjectError(.noBTF, "has no .BTF.ext, so its functions have no type records", help: "compile with `-g`")
        }
        let record = BTFExtensionEditor.Entry(
            function: try types.addEntryFunction(named: entry.name), section: types.addString(entry.sectionName),
            file: types.addString("<bpflink>"),
            line: types.addString("int \(entry.name)(void *ctx) { /* refers to every export */ return 0; }"))
        extensions?.add(record, section: entry.sectionName)
        (self.types, self.extensions) = (types, extensions)
    }

    private func contents(_ index: Int) -> ByteReader {
        let start = headers[index].offset
        let name = object.sections.indices.contains(index) ? object.sections[index].name : ""
        return ByteReader(file.bytes, start..<(start + headers[index].size), what: name, kind: "section ")
    }

    private mutating func addString(_ string: String, to index: Int) -> Int {
        add(Array(string.utf8) + [0], to: index)
    }

    /// Adds to a section: code, or a table.
    ///
    /// - Returns: where in the section, in bytes.
    private mutating func add(_ more: [UInt8], to table: Int) -> Int {
        let writer = added[table, default: ByteWriter([])]
        let position = headers[table].size + writer.count
        added[table, default: ByteWriter([])].append(more)
        return position
    }

    private mutating func replace(_ index: Int, with contents: [UInt8]) {
        isGrown = true
        file.align(8)
        headers[index].offset = file.count
        headers[index].size = contents.count
        file.append(contents)
    }

    /// - Returns: the new section's index.
    private mutating func append(_ header: SectionHeader, _ contents: [UInt8]) throws(ObjectError) -> Int {
        guard headers.count < 0xff00 else { throw ObjectError(.unsupported, "has too many sections to add one") }
        headers.append(header)
        replace(headers.count - 1, with: contents)
        return headers.count - 1
    }

    private func index(named name: String) throws(ObjectError) -> Int {
        guard let section = object.section(named: name) else {
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
