// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// A byte position in the object file.
public struct FileOffset: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let value: Int

    public init(_ value: Int) { self.value = value }

    public static func < (a: Self, b: Self) -> Bool { a.value < b.value }

    public var description: String { "0x" + String(value, radix: 16) }
}

/// The number of a section in the section header table; 0 is the undefined section.
public struct SectionIndex: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let value: Int

    public init(_ value: Int) { self.value = value }

    public static func < (a: Self, b: Self) -> Bool { a.value < b.value }

    public var description: String { String(value) }
}

/// The number of a symbol in the symbol table; 0 is the undefined symbol.
public struct SymbolIndex: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let value: Int

    public init(_ value: Int) { self.value = value }

    public static func < (a: Self, b: Self) -> Bool { a.value < b.value }

    public var description: String { String(value) }
}

/// The number of an 8-byte instruction slot, counted from the start of its section.
///
/// A 16-byte load of a 64-bit immediate occupies two slots, as the kernel and `llvm-objdump` count them.
public struct InstructionIndex: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let value: Int

    public init(_ value: Int) { self.value = value }

    /// The offset in bytes from the start of the section.
    public var byteOffset: Int { value * Instruction.size }

    public static func < (a: Self, b: Self) -> Bool { a.value < b.value }

    public static func + (a: Self, slots: Int) -> Self { Self(a.value + slots) }

    public var description: String { String(value) }
}

/// The number of a type within one BTF; 0 is `void`.
public struct TypeID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let value: UInt32

    public init(_ value: UInt32) { self.value = value }

    /// The id of `void`, which has no record.
    public static let void = TypeID(0)

    public static func < (a: Self, b: Self) -> Bool { a.value < b.value }

    public var description: String { String(value) }
}
