// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// An entry of the symbol table.
public struct Symbol: Hashable, Sendable {
    /// Who can see the symbol (`ELF64_ST_BIND`).
    public struct Binding: RawRepresentable, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let local = Binding(rawValue: 0)
        public static let global = Binding(rawValue: 1)
        public static let weak = Binding(rawValue: 2)
    }

    /// What the symbol names (`ELF64_ST_TYPE`).
    public struct Kind: RawRepresentable, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let none = Kind(rawValue: 0)
        public static let object = Kind(rawValue: 1)
        public static let function = Kind(rawValue: 2)
        public static let section = Kind(rawValue: 3)
        public static let file = Kind(rawValue: 4)
    }

    /// How far the symbol is visible once linked (`ELF64_ST_VISIBILITY`).
    public struct Visibility: RawRepresentable, Hashable, Sendable {
        public let rawValue: UInt8
        public init(rawValue: UInt8) { self.rawValue = rawValue }
        public static let `default` = Visibility(rawValue: 0)
        public static let `internal` = Visibility(rawValue: 1)
        public static let hidden = Visibility(rawValue: 2)
        public static let protected = Visibility(rawValue: 3)
    }

    public let index: SymbolIndex
    public let name: String
    /// Bytes from the start of the section that defines it.
    public let value: UInt64
    /// Bytes of what it names, or 0.
    public let size: UInt64
    public let binding: Binding
    public let kind: Kind
    public let visibility: Visibility
    /// `st_shndx`: a section's number, or one of the reserved values (undefined 0, absolute 0xfff1, …).
    public let sectionNumber: UInt16

    /// Whether the symbol is a reference to something outside the object.
    public var isUndefined: Bool { sectionNumber == 0 }
}
