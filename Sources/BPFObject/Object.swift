// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// A BPF object file, read whole and checked: what it offers, what it needs, what can be entered.
///
/// Reading depends on nothing but the bytes: the same on every machine, no privilege, no kernel. What was read never changes; a class,
/// because plans refer to it from many places.
public final class Object: Sendable {
    /// How messages name the object; usually its path.
    public let name: String
    /// The file as it was read.
    public let bytes: [UInt8]
    public let sections: [Section]
    public let symbols: [Symbol]
    /// Relocations of the code sections.
    public let relocations: [Relocation]
    /// Every function that the object defines, in the order of sections and addresses.
    public let functions: [Function]
    /// Functions that others may import, in the order of `functions`.
    public let exports: [Export]
    /// Functions that the object needs from providers, in the order of the symbol table.
    public let imports: [Import]
    /// Programs of their own, in the order of `functions`.
    public let entryPrograms: [EntryProgram]
    /// Which function refers to which, in the order of instructions.
    public let calls: [CallEdge]
    /// Whether data of the object, an initialized program array or a struct_ops, has its programs in it.
    public let storesPrograms: Bool
    /// The type information; nil if the object has none (then it neither imports nor exports).
    public let btf: BTF?
    /// The license the object states (section `license`), or nil.
    public let license: String?

    /// The section that holds the names of sections.
    let sectionNames: SectionIndex

    /// Reads an object file.
    ///
    /// - Parameters:
    ///   - bytes: the whole file.
    ///   - name: how messages name it, usually its path.
    /// - Throws: ``ObjectError`` at the first thing that is wrong, with its place. Bytes from any source are safe to read:
    ///   nothing they state is used unchecked, and time and memory are bounded by their number.
    public init(bytes: [UInt8], name: String) throws(ObjectError) {
        let elf = try ELFReader(bytes)
        let info = try TypeInformation(elf)
        let code = try CodeReader(elf, info)
        let imports = try ImportReader(elf, info, code).readAll()

        self.name = name
        self.bytes = bytes
        self.sections = elf.sections
        self.sectionNames = elf.sectionNames
        self.symbols = elf.symbols
        self.relocations = elf.relocations
        self.functions = code.functions
        self.exports = code.exports
        self.imports = imports
        self.entryPrograms = code.entryPrograms
        self.calls = try code.callEdges()
        self.storesPrograms = elf.dataRelocations.contains { relocation in
            let symbol = elf.symbols[relocation.symbol.value]
            return Int(symbol.sectionNumber) < elf.sections.count && elf.sections[Int(symbol.sectionNumber)].isCode
        }
        self.btf = info.btf
        self.license = try elf.section(named: "license").map { section throws(ObjectError) in
            try elf.contents(of: section).string(0)
        }
        if info.btf == nil, isLibrary {
            throw ObjectError(
                .noBTF, "has no BTF, so its functions have no prototypes", help: "compile with `-g`")
        }
    }

    /// The type information as it is stored (section `.BTF`).
    public var btfBytes: [UInt8]? {
        section(named: ".BTF").map { Array(bytes[$0.range]) }
    }

    /// Whether the object has no program of its own: it can only be a provider.
    public var isLibrary: Bool { entryPrograms.isEmpty }

    /// A number that tells objects apart (the steps of 64-bit FNV-1a, over words of eight bytes, then the bytes left over);
    /// whoever wants two to have the same can make them.
    public var digest: UInt64 {
        func step(_ hash: UInt64, _ part: UInt64) -> UInt64 { (hash ^ part) &* 0x0000_0100_0000_01b3 }
        return bytes.withUnsafeBytes { bytes in
            let words = bytes.count / 8
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325
            for word in 0..<words {
                hash = step(hash, UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: word * 8, as: UInt64.self)))
            }
            for byte in bytes[(words * 8)...] { hash = step(hash, UInt64(byte)) }
            return hash
        }
    }

    /// One instruction slot of a code section, or nil if there is none at that place.
    public func instruction(_ index: InstructionIndex, of section: SectionIndex) -> Instruction? {
        guard sections.indices.contains(section.value), sections[section.value].isCode, index.value >= 0 else { return nil }
        let contents = ByteReader(bytes, sections[section.value].range, what: "")
        return try? Instruction(contents, at: index.byteOffset)
    }

    /// The functions that a program consists of, itself included, by name; of a library, all functions.
    public func functions(of program: String) -> Set<String> {
        if isLibrary { return Set(functions.map(\.name)) }
        guard let index = functions.firstIndex(where: { $0.role == .entry && $0.name == program }) else { return [] }
        return Set(reachableFunctions(from: index).map { functions[$0].name })
    }

    /// The global functions that two or more of the programs consist of, in the order of the object.
    public func commonFunctions(of programs: [EntryProgram]) -> [String] {
        let contents = programs.map { functions(of: $0.name) }
        return exports.map(\.name).filter { name in contents.count { $0.contains(name) } > 1 }
    }

    /// What a function refers to, in the order of instructions.
    ///
    /// - Parameter function: an index of ``functions``.
    public func calls(from function: Int) -> ArraySlice<CallEdge> {
        // In the order of functions, so those of one lie together.
        func first(_ caller: Int) -> Int {
            var low = 0
            var high = calls.count
            while low < high {
                let middle = (low + high) / 2
                if calls[middle].caller < caller { low = middle + 1 } else { high = middle }
            }
            return low
        }
        return calls[first(function)..<first(function + 1)]
    }

    /// Everything that a function calls or takes the address of, directly or through others, itself included.
    ///
    /// - Parameter function: an index of ``functions``.
    /// - Returns: indices of ``functions``, ascending.
    public func reachableFunctions(from function: Int) -> [Int] {
        var reached: Set<Int> = [function]
        var waiting = [function]
        while let next = waiting.popLast() {
            for edge in calls(from: next) where reached.insert(edge.callee).inserted { waiting.append(edge.callee) }
        }
        return reached.sorted()
    }
}
