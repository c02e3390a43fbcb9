// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

extension BTF {
    /// Reads the contents of a `.BTF` section, or the BTF of a loaded program as the kernel gives it.
    ///
    /// - Parameters:
    ///   - bytes: one whole BTF, little-endian.
    ///   - what: what messages call it.
    /// - Throws: at the first record that the bytes cannot hold, is of an unknown kind or refers to a type that is not there.
    public convenience init(bytes: [UInt8], what: String = "BTF") throws(ObjectError) {
        try self.init(ByteReader(bytes, 0..<bytes.count, what: what))
    }

    convenience init(_ section: ByteReader) throws(ObjectError) {
        var reader = BTFTypeReader(table: try Self.typeTable(section), strings: try Self.strings(section))
        let types = try reader.readAll()
        self.init(types: types, records: reader.records, section: section)
    }

    /// The type table of a BTF.
    static func typeTable(_ section: ByteReader) throws(ObjectError) -> ByteReader {
        let header = try BTFHeader(section, minimumSize: 24)
        return try section.part(
            header.size + Int(try section.u32(8)), Int(try section.u32(12)), what: "type table of \(section.what)")
    }

    /// The string table of a BTF.
    static func strings(_ section: ByteReader) throws(ObjectError) -> ByteReader {
        let header = try BTFHeader(section, minimumSize: 24)
        return try section.part(
            header.size + Int(try section.u32(16)), Int(try section.u32(20)), what: "strings of \(section.what)")
    }
}

/// What `.BTF` and `.BTF.ext` begin with: magic, version, flags, size of the header.
struct BTFHeader {
    static let magic: UInt16 = 0xeb9f

    let size: Int

    init(_ section: ByteReader, minimumSize: Int) throws(ObjectError) {
        guard try section.u16(0) == Self.magic else {
            throw ObjectError(.malformed, "\(section.what) does not begin with BTF's magic number", at: section.place(0))
        }
        let version = try section.u8(2)
        guard version == 1 else {
            throw ObjectError(.unsupported, "\(section.what) has version \(version), not 1", at: section.place(2))
        }
        let size = Int(try section.u32(4))
        guard size >= minimumSize, size <= section.count else {
            throw ObjectError(.malformed, "\(section.what) states a header of \(size) bytes", at: section.place(4))
        }
        self.size = size
    }
}

/// Walks the type table (`struct btf_type` and what follows it by kind).
private struct BTFTypeReader {
    let table: ByteReader
    let strings: ByteReader
    private(set) var records = [0]
    private var position = 0
    /// The largest type id that any record refers to, and where.
    private var largestReference = (id: UInt32(0), at: 0)

    init(table: ByteReader, strings: ByteReader) {
        self.table = table
        self.strings = strings
    }

    mutating func readAll() throws(ObjectError) -> [BTFType] {
        var types = [BTFType(name: "", content: .void)]
        // The smallest record is 12 bytes, so the table's size bounds the count.
        types.reserveCapacity(table.count / 12 + 1)
        while position < table.count {
            records.append(position)
            types.append(try readOne())
        }
        guard Int(largestReference.id) < types.count else {
            throw ObjectError(
                .malformed, "a type refers to type \(largestReference.id), but the last is \(types.count - 1)",
                at: table.place(largestReference.at))
        }
        return types
    }

    private mutating func readOne() throws(ObjectError) -> BTFType {
        let start = position
        let name = try name(position)
        let info = try table.u32(position + 4)
        let sizeOrType = position + 8
        // Kinds that have no use for the third word have it all the same.
        let size = Int(try table.u32(sizeOrType))
        position += 12
        let count = Int(info & 0xffff)
        let flag = info >> 31 != 0

        switch (info >> 24) & 0x1f {
        case 1:
            let data = try word()
            let encoding = (data >> 24) & 0xf
            return BTFType(
                name: name,
                content: .integer(
                    BTFType.Integer(
                        size: size, bits: Int(data & 0xff), isSigned: encoding & 1 != 0,
                        isCharacter: encoding & 2 != 0, isBoolean: encoding & 4 != 0)))
        case 2: return BTFType(name: name, content: .pointer(to: try reference(sizeOrType)))
        case 3:
            let element = try nextReference()
            _ = try nextReference()
            return BTFType(name: name, content: .array(of: element, count: Int(try word())))
        case 4, 5:
            var members: [BTFType.Member] = []
            for _ in 0..<count {
                let memberName = try self.name(position)
                position += 4
                let type = try nextReference()
                let offset = try word()
                members.append(
                    BTFType.Member(
                        name: memberName, type: type, bitOffset: Int(flag ? offset & 0xff_ffff : offset),
                        bitSize: Int(flag ? offset >> 24 : 0)))
            }
            return BTFType(
                name: name,
                content: .structure(
                    BTFType.Structure(
                        isUnion: (info >> 24) & 0x1f == 5, size: size, members: members)))
        case 6, 19:
            let isWide = (info >> 24) & 0x1f == 19
            var values: [BTFType.Enumeration.Value] = []
            for _ in 0..<count {
                let valueName = try self.name(position)
                position += 4
                let low = try word()
                let value =
                    if isWide {
                        Int64(bitPattern: UInt64(low) | UInt64(try word()) << 32)
                    } else {
                        flag ? Int64(Int32(bitPattern: low)) : Int64(low)
                    }
                values.append(BTFType.Enumeration.Value(name: valueName, value: value))
            }
            return BTFType(
                name: name,
                content: .enumeration(
                    BTFType.Enumeration(size: size, isSigned: flag, values: values)))
        case 7: return BTFType(name: name, content: .forward(isUnion: flag))
        case 8: return BTFType(name: name, content: .typedef(try reference(sizeOrType)))
        case 9: return BTFType(name: name, content: .volatile(try reference(sizeOrType)))
        case 10: return BTFType(name: name, content: .const(try reference(sizeOrType)))
        case 11: return BTFType(name: name, content: .restrict(try reference(sizeOrType)))
        case 12:
            return BTFType(
                name: name,
                content: .function(
                    prototype: try reference(sizeOrType), linkage: BTFType.Linkage(rawValue: UInt32(count))))
        case 13:
            var parameters: [BTFType.Parameter] = []
            for _ in 0..<count {
                let parameterName = try self.name(position)
                position += 4
                parameters.append(BTFType.Parameter(name: parameterName, type: try nextReference()))
            }
            return BTFType(name: name, content: .prototype(returns: try reference(sizeOrType), parameters: parameters))
        case 14:
            let linkage = BTFType.Linkage(rawValue: try word())
            return BTFType(name: name, content: .variable(try reference(sizeOrType), linkage: linkage))
        case 15:
            var entries: [BTFType.DataSectionEntry] = []
            for _ in 0..<count {
                entries.append(
                    BTFType.DataSectionEntry(
                        type: try nextReference(), offset: Int(try word()), size: Int(try word())))
            }
            return BTFType(name: name, content: .dataSection(entries))
        case 16: return BTFType(name: name, content: .float(size: size))
        case 17:
            let component = Int(Int32(bitPattern: try word()))
            return BTFType(name: name, content: .declTag(on: try reference(sizeOrType), component: component))
        case 18: return BTFType(name: name, content: .typeTag(try reference(sizeOrType)))
        case let kind:
            throw ObjectError(.unsupported, "\(table.what) has a type of unknown kind \(kind)", at: table.place(start))
        }
    }

    private func name(_ position: Int) throws(ObjectError) -> String {
        let offset = Int(try table.u32(position))
        // Most anonymous types say 0, which is the empty string by the format's definition.
        return offset == 0 ? "" : try strings.string(offset)
    }

    private mutating func word() throws(ObjectError) -> UInt32 {
        let value = try table.u32(position)
        position += 4
        return value
    }

    private mutating func nextReference() throws(ObjectError) -> TypeID {
        let id = try reference(position)
        position += 4
        return id
    }

    private mutating func reference(_ position: Int) throws(ObjectError) -> TypeID {
        let id = try table.u32(position)
        if id > largestReference.id { largestReference = (id, position) }
        return TypeID(id)
    }
}
