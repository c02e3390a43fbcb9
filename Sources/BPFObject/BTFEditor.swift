// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Changes a `.BTF` section: types and strings are added at the end of theirs, so that no id and no offset changes.
struct BTFEditor {
    private let headerSize: Int
    private let header: [UInt8]
    private var types: ByteWriter
    private var strings: ByteWriter
    private let parsed: BTF
    /// Where each type's record begins in the type table; element 0 stands for `void`.
    private var records: [Int]
    /// The number of the type that is added next.
    private(set) var nextID: UInt32

    init(_ btf: BTF) throws(ObjectError) {
        headerSize = try BTFHeader(btf.section, minimumSize: 24).size
        header = Array(btf.section.all.prefix(headerSize))
        types = ByteWriter(Array(try BTF.typeTable(btf.section).all))
        strings = ByteWriter(Array(try BTF.strings(btf.section).all))
        parsed = btf
        records = btf.records
        nextID = UInt32(parsed.types.count)
    }

    /// The section's new contents.
    var bytes: [UInt8] {
        var writer = ByteWriter(header)
        writer.reserve(types.count + strings.count)
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
    mutating func addString(_ string: String) -> UInt32 { addString(bytes: string.utf8) }

    /// Adds a string, as it is without the zero at its end.
    mutating func addString(bytes: some Collection<UInt8>) -> UInt32 {
        let offset = UInt32(strings.count)
        strings.append(bytes)
        strings.append8(0)
        return offset
    }

    /// Adds `int name(void *ctx)` as a global function.
    mutating func addEntryFunction(named name: String) throws(ObjectError) -> TypeID {
        let int = intType() ?? addIntType()
        let pointer = add(name: 0, kind: BTFKind.pointer, sizeOrType: 0)
        let context = addString("ctx")
        let prototype = add(name: 0, kind: BTFKind.prototype, count: 1, sizeOrType: int.value)
        types.append32(context)
        types.append32(pointer.value)
        return add(
            name: addString(name), kind: BTFKind.function, count: BTFType.Linkage.global.rawValue,
            sizeOrType: prototype.value)
    }

    /// Adds a tag of a declaration as a whole.
    mutating func addTag(_ value: String, on declaration: TypeID) {
        _ = add(name: addString(value), kind: BTFKind.declTag, sizeOrType: declaration.value)
        // No parameter: component -1.
        types.append32(UInt32(bitPattern: -1))
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
                name: addString(function.name), kind: BTFKind.function, count: BTFType.Linkage.extern.rawValue,
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
            types.put32(UInt32(BTFKind.function) << 24 | BTFType.Linkage.static.rawValue, at: function + 4)
            guard case .function(let prototype, _)? = parsed[wanted.typeID]?.content,
                case .prototype(_, let parameters)? = parsed[prototype]?.content
            else { continue }
            let name = addString(wanted.name)
            for (index, parameter) in parameters.enumerated() where parameter.name.isEmpty && parameter.type != .void {
                types.put32(name, at: records[Int(prototype.value)] + 12 + 8 * index)
            }
        }
    }

    /// Adds one type's record.
    mutating func append(_ record: [UInt8]) {
        types.append(record)
        nextID += 1
    }

    /// Adds declarations to a data section (`BTF_KIND_DATASEC`), which is made if the object has none of that name.
    ///
    /// - Throws: if it would have more entries than a type can state.
    mutating func extend(dataSection name: String, by entries: [BTFType.DataSectionEntry]) throws(ObjectError) {
        var words = ByteWriter([])
        for entry in entries {
            words.append32(entry.type.value)
            words.append32(UInt32(entry.offset))
            words.append32(UInt32(entry.size))
        }
        let existing = parsed.types.firstIndex { type in
            if case .dataSection = type.content { type.name == name } else { false }
        }
        guard let existing else {
            _ = add(name: addString(name), kind: BTFKind.dataSection, count: UInt32(entries.count), sizeOrType: 0)
            types.append(words.bytes)
            return
        }
        let record = records[existing]
        let count = Int(types.get16(at: record + 4))
        guard count + entries.count <= UInt16.max else { throw ObjectError(.unsupported, "has too many declarations in \(name)") }
        types.put16(UInt16(count + entries.count), at: record + 4)
        // Behind those that are there already, also those that an extension before added.
        types.insert(words.bytes, at: record + 12 + 12 * count)
        for index in records.indices where records[index] > record { records[index] += words.count }
    }

    private func intType() -> TypeID? {
        parsed.types.firstIndex { type in
            if case .integer(let int) = type.content { return type.name == "int" && int.size == 4 && int.isSigned }
            return false
        }.map { TypeID(UInt32($0)) }
    }

    private mutating func addIntType() -> TypeID {
        let id = add(name: addString("int"), kind: BTFKind.integer, sizeOrType: 4)
        // Signed, no offset, 32 bits.
        types.append32(1 << 24 | 32)
        return id
    }

    /// Appends the 12 bytes that every record begins with.
    private mutating func add(name: UInt32, kind: Int, count: UInt32 = 0, sizeOrType: UInt32) -> TypeID {
        types.append32(name)
        types.append32(UInt32(kind) << 24 | count)
        types.append32(sizeOrType)
        defer { nextID += 1 }
        return TypeID(nextID)
    }
}
