// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// The type information of an object or of a loaded program, as values (`Documentation/bpf/btf.rst` of the kernel).
///
/// It never changes; a class, because every prototype refers to its types.
public final class BTF: Sendable {
    /// All types; the index is the ``TypeID``, so element 0 is `void`.
    public let types: [BTFType]
    /// Where each type's record begins in the type table; element 0 stands for `void`.
    let records: [Int]
    /// What it was read from.
    let section: ByteReader

    /// Declaration tags by what they are on; a declaration may have several.
    private let tags: [TypeID: [DeclarationTag]]

    struct DeclarationTag: Hashable, Sendable {
        /// Parameter or member; -1 for the whole declaration.
        let component: Int
        let value: String
    }

    init(types: [BTFType], records: [Int], section: ByteReader) {
        self.types = types
        self.records = records
        self.section = section
        var tags: [TypeID: [DeclarationTag]] = [:]
        for type in types {
            if case .declTag(let target, let component) = type.content {
                tags[target, default: []].append(DeclarationTag(component: component, value: type.name))
            }
        }
        self.tags = tags
    }

    /// The tags of a declaration, in no particular order.
    func declarationTags(of id: TypeID) -> [DeclarationTag] { tags[id] ?? [] }

    /// Whether a declaration has a tag as a whole.
    public func hasTag(_ value: String, on id: TypeID) -> Bool {
        declarationTags(of: id).contains { $0.component == -1 && $0.value == value }
    }

    /// The type with a number, or nil if there is none.
    public subscript(id: TypeID) -> BTFType? {
        id.value < UInt32(clamping: types.count) ? types[Int(id.value)] : nil
    }
}

/// One type record.
public struct BTFType: Hashable, Sendable {
    /// The name, or the value of a tag; empty for an anonymous type.
    public let name: String
    public let content: Content

    public enum Content: Hashable, Sendable {
        case void
        case integer(Integer)
        case float(size: Int)
        case pointer(to: TypeID)
        case array(of: TypeID, count: Int)
        case structure(Structure)
        case enumeration(Enumeration)
        case forward(isUnion: Bool)
        case typedef(TypeID)
        case const(TypeID)
        case volatile(TypeID)
        case restrict(TypeID)
        case typeTag(TypeID)
        case function(prototype: TypeID, linkage: Linkage)
        case prototype(returns: TypeID, parameters: [Parameter])
        case variable(TypeID, linkage: Linkage)
        case dataSection([DataSectionEntry])
        /// `component` is the parameter or member that the tag belongs to; -1 for the whole declaration.
        case declTag(on: TypeID, component: Int)
    }

    /// `BTF_KIND_INT`.
    public struct Integer: Hashable, Sendable {
        /// Bytes.
        public let size: Int
        public let bits: Int
        public let isSigned: Bool
        public let isCharacter: Bool
        public let isBoolean: Bool
    }

    /// `BTF_KIND_STRUCT` or `BTF_KIND_UNION`.
    public struct Structure: Hashable, Sendable {
        public let isUnion: Bool
        /// Bytes.
        public let size: Int
        public let members: [Member]
    }

    public struct Member: Hashable, Sendable {
        public let name: String
        public let type: TypeID
        /// Bits from the start of the struct.
        public let bitOffset: Int
        /// Bits of a bit-field, 0 for an ordinary member.
        public let bitSize: Int
    }

    /// `BTF_KIND_ENUM` or `BTF_KIND_ENUM64`.
    public struct Enumeration: Hashable, Sendable {
        /// Bytes.
        public let size: Int
        public let isSigned: Bool
        public let values: [Value]

        public struct Value: Hashable, Sendable {
            public let name: String
            /// The bits, sign-extended.
            public let value: Int64
        }
    }

    public struct Parameter: Hashable, Sendable {
        /// Empty in the prototype of an extern function.
        public let name: String
        /// `void` with an empty name stands for `...`.
        public let type: TypeID
    }

    public struct DataSectionEntry: Hashable, Sendable {
        public let type: TypeID
        public let offset: Int
        public let size: Int
    }

    /// Of functions (`enum btf_func_linkage`) and variables.
    public struct Linkage: RawRepresentable, Hashable, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        public static let `static` = Linkage(rawValue: 0)
        public static let global = Linkage(rawValue: 1)
        public static let extern = Linkage(rawValue: 2)
    }
}
