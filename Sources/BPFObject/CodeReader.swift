// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Finds the functions of an object and how they refer to each other.
struct CodeReader {
    private let elf: ELFReader
    private let info: TypeInformation
    private(set) var functions: [Function] = []
    private(set) var exports: [Export] = []
    private(set) var entryPrograms: [EntryProgram] = []
    /// Functions by where they begin.
    private var starts = PlaceTable<Int>([])
    /// Relocations by the instruction they patch.
    private let relocations: PlaceTable<Relocation>

    init(_ elf: ELFReader, _ info: TypeInformation) throws(ObjectError) {
        self.elf = elf
        self.info = info
        relocations = PlaceTable(elf.relocations.map { ($0.place, $0) })
        if let (place, relocation) = relocations.repeated {
            let section = elf.sections[place.section.value].name
            throw ObjectError(
                .malformed, "instruction \(place.instruction) of section \(section) has two relocations", at: relocation.entry)
        }
        try readFunctions()
        starts = PlaceTable(
            functions.enumerated().map { (Place(section: $1.section, instruction: $1.instructions.lowerBound), $0) })
        for function in functions {
            switch function.role {
            case .entry: entryPrograms.append(EntryProgram(function: function))
            case .exported, .body:
                guard let btf = info.btf, let typeID = function.typeID, let prototype = Prototype(of: typeID, in: btf)
                else { continue }
                exports.append(Export(function: function, prototype: prototype, typeID: typeID))
            case .hidden, .static: break
            }
        }
    }

    /// The function that contains an instruction.
    func function(at place: Place) -> Function? {
        // Functions are sorted by section and address and do not overlap.
        var low = 0
        var high = functions.count
        while low < high {
            let middle = (low + high) / 2
            let candidate = functions[middle]
            if (candidate.section, candidate.instructions.lowerBound) <= (place.section, place.instruction) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low > 0 else { return nil }
        let found = functions[low - 1]
        return found.section == place.section && found.instructions.contains(place.instruction) ? found : nil
    }

    // MARK: Functions

    private mutating func readFunctions() throws(ObjectError) {
        // Functions without a record of their own are rare.
        var names: [String: TypeID]?
        func typeID(named name: String) -> TypeID? {
            if names == nil { names = namedTypes() }
            return names?[name]
        }
        for symbol in elf.symbols where symbol.kind == .function && !symbol.isUndefined {
            guard Int(symbol.sectionNumber) < elf.sections.count else { continue }
            let section = elf.sections[Int(symbol.sectionNumber)]
            guard section.isCode else { continue }
            let unit = UInt64(Instruction.size)
            guard symbol.value % unit == 0, symbol.size % unit == 0, symbol.size > 0,
                symbol.value <= UInt64(section.size), symbol.size <= UInt64(section.size) - symbol.value
            else {
                throw ObjectError(
                    .malformed,
                    "function `\(symbol.name)` (\(symbol.size) bytes at \(symbol.value)) does not fit section "
                        + "\(section.name) (\(section.size) bytes)", at: section.offset)
            }
            let first = InstructionIndex(Int(symbol.value / unit))
            let typeID = info.lines.functions[section.name]?[first.byteOffset] ?? typeID(named: symbol.name)
            let type = typeID.flatMap { isFunction($0) ? $0 : nil }
            functions.append(
                Function(
                    name: symbol.name, role: role(of: symbol, type, in: section), symbol: symbol.index, section: section.index,
                    sectionName: section.name, instructions: first..<(first + Int(symbol.size / unit)), typeID: type))
        }
        functions.sort { ($0.section, $0.instructions.lowerBound) < ($1.section, $1.instructions.lowerBound) }
        for (a, b) in zip(functions, functions.dropFirst())
        where a.section == b.section && a.instructions.upperBound > b.instructions.lowerBound {
            throw ObjectError(
                .unsupported, "functions `\(a.name)` and `\(b.name)` share instructions of section \(a.sectionName)",
                at: elf.sections[a.section.value].offset)
        }
    }

    /// The functions of the BTF, by name.
    private func namedTypes() -> [String: TypeID] {
        var names: [String: TypeID] = [:]
        for (index, type) in (info.btf?.types ?? []).enumerated() {
            if case .function(_, let linkage) = type.content, linkage != .extern {
                names[type.name] = TypeID(UInt32(index))
            }
        }
        return names
    }

    private func isFunction(_ id: TypeID) -> Bool {
        if case .function? = info.btf?[id]?.content { return true }
        return false
    }

    /// Subprograms lie in `.text`; every other section of code holds programs, one per global function (libbpf's rule).
    private func role(of symbol: Symbol, _ type: TypeID?, in section: Section) -> Function.Role {
        if section.name == ".text", let type, info.btf?.hasTag(Function.chainTag, on: type) == true { return .body }
        if symbol.binding == .local { return .static }
        if section.name != ".text" { return .entry }
        return symbol.visibility == .default || symbol.visibility == .protected ? .exported : .hidden
    }

    // MARK: Calls

    /// Every reference from function to function.
    func callEdges() throws(ObjectError) -> [CallEdge] {
        var edges: [CallEdge] = []
        for (index, function) in functions.enumerated() {
            let contents = elf.contents(of: elf.sections[function.section.value])
            var next = function.instructions.lowerBound
            while next < function.instructions.upperBound {
                let at = next
                let word = try contents.u64(at.byteOffset)
                let opcode = UInt8(truncatingIfNeeded: word)
                next = next + (opcode == Instruction.wideLoadOpcode ? 2 : 1)
                // Most instructions refer to nothing.
                guard opcode == Instruction.callOpcode || opcode == Instruction.wideLoadOpcode else { continue }
                let instruction = Instruction(word: word)
                if let callee = try target(of: instruction, at: Place(section: function.section, instruction: at)) {
                    edges.append(
                        CallEdge(caller: index, callee: callee, instruction: at, isAddress: !instruction.isCall))
                }
            }
        }
        return edges
    }

    /// The function that an instruction calls or whose address it loads, if it does.
    ///
    /// Clang leaves calls within a section without relocation (the immediate counts from the next instruction) and relocates the
    /// others against the function or its section (then the immediate counts from the section's start, less one).
    private func target(of instruction: Instruction, at place: Place) throws(ObjectError) -> Int? {
        let isCall = instruction.isCall && instruction.source == Instruction.pseudoCall
        guard isCall || instruction.isWideLoad else { return nil }

        let section: SectionIndex
        let slot: Int
        if let relocation = relocations[place] {
            let symbol = elf.symbols[relocation.symbol.value]
            guard !symbol.isUndefined, Int(symbol.sectionNumber) < elf.sections.count,
                elf.sections[Int(symbol.sectionNumber)].isCode
            else { return nil }
            let base = Int(clamping: symbol.value / UInt64(Instruction.size))
            let addend = Int(instruction.immediate)
            let (sum, overflow) = base.addingReportingOverflow(isCall ? addend + 1 : addend / Instruction.size)
            section = SectionIndex(Int(symbol.sectionNumber))
            slot = overflow ? -1 : sum
        } else {
            guard isCall || instruction.source == Instruction.pseudoFunction else { return nil }
            section = place.section
            slot = place.instruction.value + 1 + Int(instruction.immediate)
        }
        guard let callee = starts[Place(section: section, instruction: InstructionIndex(slot))] else {
            throw ObjectError(
                .malformed,
                "instruction \(place.instruction) of section \(elf.sections[place.section.value].name) refers to a "
                    + "function where none begins",
                at: FileOffset(elf.sections[place.section.value].offset.value + place.instruction.byteOffset))
        }
        return callee
    }
}

extension Relocation {
    /// The instruction that is patched.
    public var instruction: InstructionIndex { InstructionIndex(Int(offset) / Instruction.size) }

    var place: Place { Place(section: section, instruction: instruction) }
}
