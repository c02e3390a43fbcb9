// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Takes types over from one BTF to the end of another: those that are asked for, with all that they refer to.
///
/// Records are taken as they are but for what they refer to by number: types and strings have others in the new BTF
/// (`Documentation/bpf/btf.rst` of the kernel). Tags go with what they are on.
struct BTFTransfer {
    private let table: ByteReader
    private let strings: ByteReader
    private let btf: BTF
    /// Where strings that were taken over are in the new BTF, by where they were.
    private var placed: [UInt32: UInt32] = [0: 0]
    /// The new numbers of types that were taken over.
    private(set) var ids: [TypeID: TypeID] = [.void: .void]

    /// - Parameter btf: that types are taken from.
    init(from btf: BTF) throws(ObjectError) {
        table = try BTF.typeTable(btf.section)
        strings = try BTF.strings(btf.section)
        self.btf = btf
    }

    /// Takes types over.
    ///
    /// - Parameters:
    ///   - roots: what is wanted.
    ///   - statics: functions that are `static` where they go.
    mutating func take(_ roots: [TypeID], statics: Set<TypeID> = [], to editor: inout BTFEditor) throws(ObjectError) {
        var order: [TypeID] = []
        var waiting: [TypeID] = []
        func enter(_ id: TypeID) {
            guard ids[id] == nil, btf[id] != nil else { return }
            ids[id] = TypeID(editor.nextID + UInt32(order.count))
            order.append(id)
            waiting.append(id)
        }
        for root in roots {
            guard btf[root] != nil else {
                throw ObjectError(.malformed, "a record refers to type \(root), but the last is \(btf.types.count - 1)")
            }
            enter(root)
        }
        while let next = waiting.popLast() {
            for field in try layout(of: next).types { enter(TypeID(try table.u32(field))) }
        }
        let wanted = Set(order)
        for (index, type) in btf.types.enumerated() {
            guard case .declTag(let target, _) = type.content, wanted.contains(target) else { continue }
            // Who has a copy of a function does not offer it.
            if type.name == Function.chainTag, statics.contains(target) { continue }
            enter(TypeID(UInt32(index)))
        }

        for id in order {
            let layout = try layout(of: id)
            let start = btf.records[Int(id.value)]
            var record = ByteWriter(Array(try table.part(start, layout.end - start, what: "a type").all))
            for field in layout.types {
                guard let target = ids[TypeID(try table.u32(field))] else { continue }
                record.put32(target.value, at: field - start)
            }
            for field in layout.strings { record.put32(try string(at: try table.u32(field), to: &editor), at: field - start) }
            if statics.contains(id) {
                record.put32(UInt32(BTFKind.function) << 24 | BTFType.Linkage.static.rawValue, at: 4)
            }
            editor.append(record.bytes)
        }
    }

    /// Takes a string over.
    ///
    /// - Returns: where it is in the new BTF.
    mutating func string(at offset: UInt32, to editor: inout BTFEditor) throws(ObjectError) -> UInt32 {
        if let known = placed[offset] { return known }
        // Not only names: the records of lines have the text of the line.
        guard let position = Int(exactly: offset), position < strings.count,
            let end = strings.all.dropFirst(position).firstIndex(of: 0)
        else { throw ObjectError(.malformed, "a record refers to a string outside of \(strings.what)") }
        let new = editor.addString(bytes: strings.all[(strings.all.startIndex + position)..<end])
        placed[offset] = new
        return new
    }

    /// Where a record ends and where in it numbers of types and strings are, all as positions in the type table.
    private struct Layout {
        var end: Int
        var types: [Int] = []
        var strings: [Int]
    }

    private func layout(of id: TypeID) throws(ObjectError) -> Layout {
        let start = btf.records[Int(id.value)]
        let info = try table.u32(start + 4)
        let count = Int(info & 0xffff)
        var layout = Layout(end: start + 12, strings: [start])
        if BTFKind.referring.contains(Int(info >> 24 & 0x1f)) { layout.types.append(start + 8) }
        /// What follows the record's first 12 bytes: parts of so many words.
        func parts(_ count: Int, words: Int, type: Int? = nil, string: Int? = nil) {
            for _ in 0..<count {
                if let type { layout.types.append(layout.end + 4 * type) }
                if let string { layout.strings.append(layout.end + 4 * string) }
                layout.end += 4 * words
            }
        }
        switch Int(info >> 24 & 0x1f) {
        case BTFKind.integer, BTFKind.variable, BTFKind.declTag: parts(1, words: 1)
        case BTFKind.array:
            layout.types += [layout.end, layout.end + 4]
            parts(1, words: 3)
        case BTFKind.structure, BTFKind.union: parts(count, words: 3, type: 1, string: 0)
        case BTFKind.enumeration: parts(count, words: 2, string: 0)
        case BTFKind.wideEnumeration: parts(count, words: 3, string: 0)
        case BTFKind.prototype: parts(count, words: 2, type: 1, string: 0)
        case BTFKind.dataSection: parts(count, words: 3, type: 0)
        default: break
        }
        return layout
    }
}

/// `BTF_KIND_*` (include/uapi/linux/btf.h).
enum BTFKind {
    static let integer = 1
    static let pointer = 2
    static let array = 3
    static let structure = 4
    static let union = 5
    static let enumeration = 6
    static let typedef = 8
    static let volatile = 9
    static let const = 10
    static let restrict = 11
    static let function = 12
    static let prototype = 13
    static let variable = 14
    static let dataSection = 15
    static let declTag = 17
    static let typeTag = 18
    static let wideEnumeration = 19

    /// Kinds whose third word is the number of a type.
    static let referring: Set<Int> = [
        pointer, typedef, volatile, const, restrict, function, prototype, variable, declTag, typeTag,
    ]
}
