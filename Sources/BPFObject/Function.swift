// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// A function defined by the object.
public struct Function: Hashable, Sendable {
    /// What part the function plays; ELF symbol and section decide it.
    public enum Role: String, Hashable, Sendable {
        /// A program of its own: in a section that names a program type.
        case entry
        /// A subprogram that others may import: global, default visibility.
        case exported
        /// A subprogram that others may import, verified together with each of them: the author marked it (``chainTag``). It may be
        /// global or `static`.
        case body
        /// A subprogram kept to this object: global but hidden.
        case hidden
        /// A subprogram kept to this file: `static`.
        case `static`
    }

    public let name: String
    public let role: Role
    public let symbol: SymbolIndex
    public let section: SectionIndex
    public let sectionName: String
    /// The function's instruction slots within its section.
    public let instructions: Range<InstructionIndex>
    /// The function's `BTF_KIND_FUNC`, if the object has BTF for it.
    public let typeID: TypeID?

    /// The declaration tag by which an author says that a function is verified together with those who call it: `__bpf_chain` of
    /// `Include/bpflink.h`. It can be on a definition or on an `extern` declaration.
    public static let chainTag = "bpflink:chain"

    /// Whether other programs may import it, in whatever way.
    public var isOffered: Bool { role == .exported || role == .body }

    /// How many slots the function has.
    var slotCount: Int { instructions.upperBound.value - instructions.lowerBound.value }
}

/// A function that other programs may import.
public struct Export: Sendable {
    public let function: Function
    public let prototype: Prototype
    /// The `BTF_KIND_FUNC` in the object's BTF.
    public let typeID: TypeID

    public var name: String { function.name }
}

/// A program of its own, entered by the kernel.
public struct EntryProgram: Hashable, Sendable {
    public let function: Function

    public var name: String { function.name }
    /// The section, whose name says what type of program it is; what it says is libbpf's affair.
    public var sectionName: String { function.sectionName }
}

/// A call, or a taking of an address, from one function of the object to another.
public struct CallEdge: Hashable, Sendable {
    /// Index of the caller in ``Object/functions``.
    public let caller: Int
    /// Index of the callee in ``Object/functions``.
    public let callee: Int
    /// Where, in the caller's section.
    public let instruction: InstructionIndex
    /// Whether the address is taken (a callback) instead of called.
    public let isAddress: Bool
}
