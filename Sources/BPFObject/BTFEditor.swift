// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Changes a `.BTF` section: types and strings are added at the end of theirs, so that no id and no offset changes.
struct BTFEditor {
    private let headerSize: Int
    private let header: [UInt8]
    private var types: ByteWriter
    private var strings: ByteWriter
    private let parsed: BTF
    /// Where each type's record begins in the type table; element 0 stands for `void`.
    private let records: [Int]
    private var nextID: UInt32

    init(_ section: ByteReader) throws(ObjectError) {
        headerSize = try BTFHeader(section, minimumSize: 24).size
        header = Array(section.all.prefix(headerSize))
        types = ByteWriter(Array(try BTF.typeTable(section).all))
        strings = ByteWriter(Array(try BTF.strings(section).all))
        (parsed, records) = try BTF.withRecords(section)
        nextID = UInt32(parsed.types.count)
    }

    /// The section's new contents.
    var bytes: [UInt8] {
        var writer = ByteWriter(header)
        writer.put32(0, at: 8)
        writer.put32(UInt32(types.count), at: 12)
        writer.put32(UInt32(types.count), at: 16)
        writer.put32(UInt32(strings.count), at: 20)
        writer.append(types.bytes)
        writer.append(strings.bytes)
        return writer.bytes
    }

    /// Adds a string.
    ///
    /// - Returns: its offset.
    mutating func addString(_ string: String) -> UInt32 {
        let offset = UInt32(strings.count)
        strings.append(Array(string.utf8) + [0])
        return offset
    }

    /// Adds `int name(void *ctx)` as a global function.
    mutating func addEntryFunction(named name: String) throws(ObjectError) -> TypeID {
        let int = intType() ?? addIntType()
        let pointer = add(name: 0, kind: Kind.pointer, sizeOrType: 0)
        let context = addString("ctx")
        let prototype = add(name: 0, kind: Kind.prototype, count: 1, sizeOrType: int.value)
        types.append32(context)
        types.append32(pointer.value)
        return add(
            name: addString(name), kind: Kind.function, count: BTFType.Linkage.global.rawValue,
            sizeOrType: prototype.value)
    }

    /// Adds declarations of functions that the object defines.
    ///
    /// - Throws: if a definition has no prototype, or a declaration would not get the id that is planned for it.
    mutating func add(_ externs: [ExternFunction]) throws(ObjectError) {
        for function in externs {
            guard case .function(let prototype, _)? = parsed[function.definition]?.content else {
                throw ObjectError(.noPrototype, "`\(function.name)` has no prototype in the BTF")
            }
            let id = add(
                name: addString(function.name), kind: Kind.function, count: BTFType.Linkage.extern.rawValue,
                sizeOrType: prototype.value)
            guard id == function.typeID else {
                throw ObjectError(.malformed, "`\(function.name)` gets the type id \(id), planned is \(function.typeID)")
            }
        }
    }

    /// Makes extern functions that stay unresolved acceptable to kernels that take no extern function and no parameter without
    /// a name: they become static, and their parameters take the function's own name.
    mutating func neutralize(_ imports: [Import]) throws(ObjectError) {
        for wanted in imports {
            let function = records[Int(wanted.typeID.value)]
            types.put32(Kind.function << 24 | BTFType.Linkage.static.rawValue, at: function + 4)
            guard case .function(let prototype, _)? = parsed[wanted.typeID]?.content,
                case .prototype(_, let parameters)? = parsed[prototype]?.content
            else { continue }
            let name = addString(wanted.name)
            for (index, parameter) in parameters.enumerated() where parameter.name.isEmpty && parameter.type != .void {
                types.put32(name, at: records[Int(prototype.value)] + 12 + 8 * index)
            }
        }
    }

    /// `BTF_KIND_*`, as far as they are written here.
    private enum Kind {
        static let integer: UInt32 = 1
        static let pointer: UInt32 = 2
        static let function: UInt32 = 12
        static let prototype: UInt32 = 13
    }

    private func intType() -> TypeID? {
        parsed.types.firstIndex { type in
            if case .integer(let int) = type.content { return type.name == "int" && int.size == 4 && int.isSigned }
            return false
        }.map { TypeID(UInt32($0)) }
    }

    private mutating func addIntType() -> TypeID {
        let id = add(name: addString("int"), kind: Kind.integer, sizeOrType: 4)
        // Signed, no offset, 32 bits.
        types.append32(1 << 24 | 32)
        return id
    }

    /// Appends the 12 bytes that every record begins with.
    private mutating func add(name: UInt32, kind: UInt32, count: UInt32 = 0, sizeOrType: UInt32) -> TypeID {
        types.append32(name)
        types.append32(kind << 24 | count)
        types.append32(sizeOrType)
        defer { nextID += 1 }
        return TypeID(nextID)
    }
}

/// Changes a `.BTF.ext` section.
struct BTFExtensionEditor {
    /// What an added program is described by; offsets are those of strings in `.BTF`.
    struct Entry {
        var function = TypeID.void
        var section: UInt32 = 0
        var file: UInt32 = 0
        var line: UInt32 = 0
    }

    /// `struct btf_ext_header` with all that Linux 7.3 defines.
    private static let headerSize = 32

    private var functions: ByteWriter
    private var lines: ByteWriter
    private let relocations: [UInt8]

    init(_ section: ByteReader) throws(ObjectError) {
        let header = try BTFHeader(section, minimumSize: 24)
        func table(_ field: Int, _ what: String) throws(ObjectError) -> [UInt8] {
            Array(
                try section.part(
                    header.size + Int(try section.u32(field)), Int(try section.u32(field + 4)),
                    what: "\(what) of \(section.what)"
                ).all)
        }
        functions = ByteWriter(try table(8, "func_info"))
        lines = ByteWriter(try table(16, "line_info"))
        relocations = header.size >= Self.headerSize ? try table(24, "core_relo") : []
    }

    /// Adds one function record and one line record at the start of a new program.
    mutating func add(_ entry: Entry) throws(ObjectError) {
        try Self.add([0, entry.function.value], to: &functions, section: entry.section)
        // Line 1, column 0.
        try Self.add([0, entry.file, entry.line, 1 << 10], to: &lines, section: entry.section)
    }

    private static func add(_ fields: [UInt32], to table: inout ByteWriter, section: UInt32) throws(ObjectError) {
        if table.count == 0 { table.append32(UInt32(fields.count * 4)) }
        let recordSize = Int(try ByteReader(table.bytes, 0..<table.count, what: ".BTF.ext").u32(0))
        table.append32(section)
        table.append32(1)
        for field in fields { table.append32(field) }
        for _ in 0..<(recordSize - fields.count * 4) { table.append8(0) }
    }

    /// The section's new contents.
    var bytes: [UInt8] {
        var writer = ByteWriter([])
        writer.append16(BTFHeader.magic)
        writer.append8(1)
        writer.append8(0)
        writer.append32(UInt32(Self.headerSize))
        var offset = 0
        for length in [functions.count, lines.count, relocations.count] {
            writer.append32(UInt32(offset))
            writer.append32(UInt32(length))
            offset += length
        }
        writer.append(functions.bytes)
        writer.append(lines.bytes)
        writer.append(relocations)
        return writer.bytes
    }
}
