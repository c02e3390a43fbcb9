// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Puts copies of other objects' functions into an object.
///
/// Copies are at the end of `.text`, with local symbols, for two of them may have one name; it is their BTF that tells the kernel
/// which are global (``CopyDescription``). They refer to maps by descriptors, not by symbols: libbpf has nothing to do with these
/// maps, and an own map of the same name is another one. What else a copy refers to (functions that are copied too, variables and
/// functions of the kernel, types) is carried over.
struct CodeCopier {
    /// What is to be added to the object.
    private(set) var code = ByteWriter([])
    private(set) var relocations: [(at: InstructionIndex, symbol: SymbolIndex, kind: Relocation.Kind)] = []
    /// What of the kernel the copies use and the object did not, by name; and the source that declares it.
    private(set) var newExterns: [(name: String, source: Int)] = []
    /// Where each copy begins in `.text`.
    let places: [InstructionIndex]

    private let copies: CodeCopies
    private let sources: [SourceCode]
    private let numbers: [CodeCopies.Function: Int]
    private let start: InstructionIndex
    private let text: Int
    private var externs: [String: SymbolIndex] = [:]

    /// - Parameters:
    ///   - text: the section that the copies go to.
    init(_ copies: CodeCopies, to text: Int, of image: inout ELFImage) throws(ObjectError) {
        self.copies = copies
        self.text = text
        sources = copies.sources.map(SourceCode.init)
        numbers = Dictionary(copies.functions.enumerated().map { ($1, $0) }, uniquingKeysWith: { a, _ in a })
        start = InstructionIndex(image.size(of: text) / Instruction.size)
        var next = start
        var places: [InstructionIndex] = []
        for copy in copies.functions {
            places.append(next)
            next = next + copies.sources[copy.source].object.functions[copy.function].slotCount
        }
        self.places = places
        try placeSymbols(in: text, of: &image)
        for copy in copies.functions { try self.copy(copy, &image) }
    }

    // MARK: Symbols

    /// An import that a copy is bound to becomes that copy's symbol, so what refers to it stays as it is.
    private mutating func placeSymbols(in text: Int, of image: inout ELFImage) throws(ObjectError) {
        let imports = Dictionary(copies.imports.map { ($1, $0) }, uniquingKeysWith: { a, _ in a })
        for (index, copy) in copies.functions.enumerated() {
            let function = copies.sources[copy.source].object.functions[copy.function]
            let symbol = ELFImage.NewSymbol(
                name: function.name, binding: .local, kind: .function, section: UInt16(text),
                value: UInt64(places[index].byteOffset), size: UInt64(function.slotCount * Instruction.size))
            _ = try image.define(symbol, at: imports[index])
        }
    }

    /// The symbol by which libbpf finds something of the kernel.
    private mutating func extern(_ symbol: Symbol, of source: Int, in image: inout ELFImage) throws(ObjectError) -> SymbolIndex {
        if let known = externs[symbol.name] { return known }
        let place: SymbolIndex
        if let own = image.undefinedSymbol(named: symbol.name) {
            place = own
        } else {
            let new = ELFImage.NewSymbol(name: symbol.name, binding: symbol.binding, kind: symbol.kind)
            place = try image.define(new, at: nil)
            newExterns.append((symbol.name, source))
        }
        externs[symbol.name] = place
        return place
    }

    // MARK: Code

    /// An object that is copied from, and its references by where they are.
    private struct SourceCode {
        let object: Object
        let relocations: PlaceTable<Relocation>
        let edges: PlaceTable<CallEdge>

        init(_ source: CodeCopies.Source) {
            object = source.object
            relocations = PlaceTable(object.relocations.map { ($0.place, $0) })
            let functions = object.functions
            edges = PlaceTable(
                object.calls.map { (Place(section: functions[$0.caller].section, instruction: $0.instruction), $0) })
        }
    }

    /// Where a reference is that is being copied.
    private struct Site {
        let source: Int
        let function: Function
        let place: Place
    }

    /// Where the instruction that is written next will be.
    private var here: InstructionIndex { start + code.count / Instruction.size }

    private mutating func copy(_ copy: CodeCopies.Function, _ image: inout ELFImage) throws(ObjectError) {
        let object = sources[copy.source].object
        let function = object.functions[copy.function]
        let contents = object.contents(of: object.sections[function.section.value])
        var at = function.instructions.lowerBound
        while at < function.instructions.upperBound {
            var first = try Instruction(contents, at: at.byteOffset)
            guard first.isCall || first.isWideLoad else {
                code.append64(first.word)
                at = at + 1
                continue
            }
            let place = Place(section: function.section, instruction: at)
            let site = Site(source: copy.source, function: function, place: place)
            guard first.isWideLoad else {
                try fixCall(&first, site, &image)
                code.append64(first.word)
                at = at + 1
                continue
            }
            guard at + 1 < function.instructions.upperBound else {
                throw ObjectError(.malformed, "instruction \(at) of `\(function.name)` needs two slots and has one")
            }
            var second = try Instruction(contents, at: (at + 1).byteOffset)
            try fixLoad(&first, &second, site, &image)
            code.append64(first.word)
            code.append64(second.word)
            at = at + 2
        }
    }

    private mutating func fixCall(_ call: inout Instruction, _ site: Site, _ image: inout ELFImage) throws(ObjectError) {
        let source = sources[site.source]
        if let edge = source.edges[site.place] {
            call = self.call(of: try number(of: edge.callee, site))
            return
        }
        guard let relocation = source.relocations[site.place] else { return }
        switch copies.sources[site.source].imports[relocation.symbol] {
        case .copy(let index): call = self.call(of: index)
        case .unresolved(let poison): call = Instruction(opcode: Instruction.callOpcode, immediate: poison)
        case nil:
            let symbol = source.object.symbols[relocation.symbol.value]
            guard symbol.isUndefined else { throw unknown(symbol, site) }
            relocations.append((here, try extern(symbol, of: site.source, in: &image), .call))
        }
    }

    /// A call within `.text` counts from the next instruction.
    private func call(of copy: Int) -> Instruction {
        Instruction(
            opcode: Instruction.callOpcode, source: Instruction.pseudoCall,
            immediate: Int32(clamping: places[copy].value - here.value - 1))
    }

    private mutating func fixLoad(
        _ first: inout Instruction, _ second: inout Instruction, _ site: Site, _ image: inout ELFImage
    ) throws(ObjectError) {
        let source = sources[site.source]
        guard let relocation = source.relocations[site.place] else { return }
        let symbol = source.object.symbols[relocation.symbol.value]
        if let edge = source.edges[site.place] {
            // libbpf takes the address of a static function as a place in the section, not as a symbol of its own.
            first = Instruction(
                opcode: Instruction.wideLoadOpcode, destination: first.destination, source: Instruction.pseudoFunction,
                immediate: Int32(clamping: places[try number(of: edge.callee, site)].byteOffset))
            relocations.append((here, try image.sectionSymbol(of: text), .wideImmediate))
        } else if let target = copies.sources[site.source].imports[relocation.symbol] {
            first = Instruction(
                opcode: Instruction.wideLoadOpcode, destination: first.destination, immediate: target.isBound ? 1 : 0)
            second = Instruction(opcode: 0)
        } else if symbol.isUndefined {
            relocations.append((here, try extern(symbol, of: site.source, in: &image), .wideImmediate))
        } else {
            try fixData(&first, &second, symbol, site)
        }
    }

    /// A load of a map, or of an address in the map that holds a data section (`BPF_PSEUDO_MAP_FD`, `BPF_PSEUDO_MAP_VALUE`).
    private func fixData(
        _ first: inout Instruction, _ second: inout Instruction, _ symbol: Symbol, _ site: Site
    ) throws(ObjectError) {
        let object = sources[site.source].object
        guard object.sections.indices.contains(Int(symbol.sectionNumber)), !symbol.isUndefined else { throw unknown(symbol, site) }
        let section = object.sections[Int(symbol.sectionNumber)]
        let (offset, overflow) = Int(clamping: symbol.value).addingReportingOverflow(Int(first.immediate))
        let isMap = section.name == Object.mapSection
        let name = isMap ? object.mapName(at: offset, in: section.index) : section.name
        guard !overflow, let name, let descriptor = copies.sources[site.source].maps[name], let place = Int32(exactly: offset)
        else {
            throw ObjectError(
                .unsupported,
                "`\(site.function.name)` of \(object.name) uses `\(name ?? symbol.name)` (section \(section.name)), and its "
                    + "provider has no such map")
        }
        first.source = isMap ? Instruction.pseudoMap : Instruction.pseudoMapValue
        first.immediate = descriptor
        second.immediate = isMap ? 0 : place
    }

    private func number(of callee: Int, _ site: Site) throws(ObjectError) -> Int {
        guard let number = numbers[CodeCopies.Function(source: site.source, function: callee)] else {
            let name = sources[site.source].object.functions[callee].name
            throw ObjectError(.malformed, "`\(name)`, which `\(site.function.name)` refers to, is not copied")
        }
        return number
    }

    private func unknown(_ symbol: Symbol, _ site: Site) -> ObjectError {
        ObjectError(
            .unsupported,
            "instruction \(site.place.instruction) of `\(site.function.name)` refers to `\(symbol.name)`, which cannot be copied")
    }
}

extension CodeCopies.Target {
    fileprivate var isBound: Bool { if case .copy = self { true } else { false } }
}

extension Object {
    /// The section of map definitions (libbpf's documentation, "BTF-defined maps").
    static let mapSection = ".maps"

    /// The map whose definition begins at a place of `.maps`.
    func mapName(at offset: Int, in section: SectionIndex) -> String? {
        symbols.first { symbol in
            Int(symbol.sectionNumber) == section.value && Int(clamping: symbol.value) == offset && symbol.kind == .object
                && !symbol.name.isEmpty
        }?.name
    }
}
