// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// One instruction slot that linking changes: where, what it was, what it becomes, and why.
///
/// Planned by the linker as a value, applied by ``ELFRewriter``; printing all of them is printing the link.
public struct Fixup: Hashable, Sendable {
    public let section: SectionIndex
    public let sectionName: String
    public let instruction: InstructionIndex
    public let before: Instruction
    public let after: Instruction
    /// For people: e.g. "`lib_add` of lib (id 17), slot 0".
    public let because: String

    public init(
        section: SectionIndex, sectionName: String, instruction: InstructionIndex, before: Instruction,
        after: Instruction, because: String
    ) {
        self.section = section
        self.sectionName = sectionName
        self.instruction = instruction
        self.before = before
        self.after = after
        self.because = because
    }
}

extension Fixup: CustomStringConvertible {
    public var description: String { "\(sectionName)+\(instruction): \(before) -> \(after)  # \(because)" }
}

/// An entry program that a library, or what programs share, is given so that it can be loaded: it refers to every function that
/// is to be exported and does nothing.
///
/// Its code is, per function, a two-slot load of that function's address (`BPF_PSEUDO_FUNC`), then `r0 = 0; exit`. libbpf
/// appends to a program what it refers to, so all exports and what they call travel with it. The loader turns the loads into
/// loads of 0 before the kernel sees them.
public struct SyntheticEntry: Hashable, Sendable {
    /// The program's name.
    public let name: String
    /// The section that it is put into; the object has none of that name.
    public let sectionName: String
    /// The program's type, in the words of section names.
    public let type: String
    /// The functions it refers to, in the order of its instructions.
    public let functions: [String]
    /// A number that the program has in its instructions, so that its tag tells what it stands for.
    public let digest: UInt64?

    /// - Parameters:
    ///   - name: of the program; the object has no symbol of it.
    ///   - sectionName: of a section that the object does not have.
    ///   - type: nil if the section's name says it.
    ///   - functions: what it refers to, so that it is loaded with it.
    ///   - digest: see ``digest``.
    public init(name: String, sectionName: String, type: String? = nil, functions: [String], digest: UInt64? = nil) {
        self.name = name
        self.sectionName = sectionName
        self.type = type ?? sectionName
        self.functions = functions
        self.digest = digest
    }

    /// Instruction slots of the entry's own code.
    public var instructionCount: Int { (functions.count + (digest == nil ? 0 : 1)) * 2 + 2 }
}

/// The declaration that BTF is given of a function of the object itself, so that some of its programs can import what another
/// one exports: a `BTF_KIND_FUNC` with linkage extern and the prototype of the definition.
public struct ExternFunction: Hashable, Sendable {
    public let name: String
    /// The `BTF_KIND_FUNC` of the definition.
    public let definition: TypeID
    /// The id that the declaration gets; calls of the import carry it.
    public let typeID: TypeID

    public init(name: String, definition: TypeID, typeID: TypeID) {
        self.name = name
        self.definition = definition
        self.typeID = typeID
    }
}
