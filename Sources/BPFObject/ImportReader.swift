// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Finds what an object needs from providers.
struct ImportReader {
    private let elf: ELFReader
    private let info: TypeInformation
    private let code: CodeReader

    init(_ elf: ELFReader, _ info: TypeInformation, _ code: CodeReader) {
        self.elf = elf
        self.info = info
        self.code = code
    }

    func readAll() throws(ObjectError) -> [Import] {
        let externs = externs()
        var uses: [SymbolIndex: [Relocation]] = [:]
        for relocation in elf.relocations where elf.symbols[relocation.symbol.value].isUndefined {
            uses[relocation.symbol, default: []].append(relocation)
        }

        var stored: [SymbolIndex: Relocation] = [:]
        for relocation in elf.dataRelocations { stored[relocation.symbol] = relocation }

        var imports: [Import] = []
        var names: Set<String> = []
        for symbol in elf.symbols
        where symbol.isUndefined && symbol.kind == .none && symbol.binding != .local && !symbol.name.isEmpty {
            let relocations = uses[symbol.index] ?? []
            switch externs[symbol.name] {
            case .libbpf: continue
            case .function(let typeID):
                if let place = stored[symbol.index] { throw storedAddress(of: symbol, at: place) }
                guard let btf = info.btf, let prototype = Prototype(of: typeID, in: btf) else {
                    throw missingPrototype(symbol, sites: try sites(of: symbol, relocations))
                }
                // What is decided for an import is decided by name, and is done to a symbol.
                guard names.insert(symbol.name).inserted else {
                    throw ObjectError(.malformed, "has two symbols for the import `\(symbol.name)`")
                }
                imports.append(
                    Import(
                        name: symbol.name, isWeak: symbol.binding == .weak, prototype: prototype, typeID: typeID,
                        symbol: symbol.index, sites: try sites(of: symbol, relocations)))
            case nil:
                if !relocations.isEmpty {
                    throw missingPrototype(symbol, sites: try sites(of: symbol, relocations))
                }
            }
        }
        return imports
    }

    private enum Extern {
        /// In a section that libbpf resolves by itself (`.ksyms`, `.kconfig`), or a variable, on which libbpf has the say.
        case libbpf
        case function(TypeID)
    }

    /// The extern functions and variables of the BTF, by name.
    private static func isExtern(_ type: BTFType) -> Bool {
        switch type.content {
        case .function(_, .extern), .variable(_, .extern): true
        default: false
        }
    }

    private func externs() -> [String: Extern] {
        guard let btf = info.btf, btf.types.contains(where: Self.isExtern) else { return [:] }
        var sectioned: Set<TypeID> = []
        for type in btf.types {
            if case .dataSection(let entries) = type.content { sectioned.formUnion(entries.map(\.type)) }
        }
        var externs: [String: Extern] = [:]
        for (index, type) in btf.types.enumerated() {
            let id = TypeID(UInt32(index))
            switch type.content {
            case .function(_, .extern): externs[type.name] = sectioned.contains(id) ? .libbpf : .function(id)
            case .variable(_, .extern): externs[type.name] = .libbpf
            default: break
            }
        }
        return externs
    }

    private func sites(of symbol: Symbol, _ relocations: [Relocation]) throws(ObjectError) -> [ImportSite] {
        var sites: [ImportSite] = []
        for relocation in relocations {
            let section = elf.sections[relocation.section.value]
            let place = Place(section: section.index, instruction: relocation.instruction)
            let instruction = try Instruction(elf.contents(of: section), at: place.instruction.byteOffset)
            let use: ImportSite.Use
            switch relocation.kind {
            case .call where instruction.isCall && instruction.source == Instruction.pseudoCall: use = .call
            case .wideImmediate where instruction.isWideLoad: use = .address
            default:
                throw ObjectError(
                    .malformed,
                    "relocation of kind \(relocation.kind.rawValue) against `\(symbol.name)` patches instruction "
                        + "\(place.instruction) of section \(section.name), which is neither a call nor a load of an address",
                    at: relocation.entry)
            }
            // What is at some distance from a function is no function. Whoever relocates the call adds the number.
            guard instruction.immediate == (use == .call ? -1 : 0) else {
                throw ObjectError(
                    .malformed,
                    "instruction \(place.instruction) of section \(section.name) refers to something beside `\(symbol.name)`: its "
                        + "immediate is \(instruction.immediate)", at: relocation.entry)
            }
            guard let function = code.function(at: place) else {
                throw ObjectError(
                    .malformed,
                    "`\(symbol.name)` is used by instruction \(place.instruction) of section \(section.name), which "
                        + "belongs to no function", at: relocation.entry)
            }
            guard use == .call || function.instructions.contains(place.instruction + 1) else {
                throw ObjectError(
                    .malformed,
                    "instruction \(place.instruction) of section \(section.name) needs two slots and has one",
                    at: relocation.entry)
            }
            sites.append(
                ImportSite(
                    use: use, function: function.name, section: section.index, sectionName: section.name,
                    instruction: place.instruction,
                    source: info.lines.source(
                        section: section.name, instruction: place.instruction, function: function.instructions)))
        }
        return sites.sorted { ($0.section, $0.instruction) < ($1.section, $1.instruction) }
    }

    private func missingPrototype(_ symbol: Symbol, sites: [ImportSite]) -> ObjectError {
        info.btf == nil
            ? ObjectError(
                .noBTF, "has no BTF, so the import `\(symbol.name)` has no prototype", sites: sites,
                help: "compile with `-g`")
            : ObjectError(
                .noPrototype, "import `\(symbol.name)` has no prototype in the BTF", sites: sites,
                help: "declare it, with its parameters: `extern int \(symbol.name)(…);`")
    }

    private func storedAddress(of symbol: Symbol, at place: Relocation) -> ObjectError {
        ObjectError(
            .unsupported,
            "the address of import `\(symbol.name)` is stored in section \(elf.sections[place.section.value].name); an import "
                + "can only be called", at: place.entry)
    }
}
