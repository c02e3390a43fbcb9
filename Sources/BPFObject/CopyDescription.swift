// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Carries over what tells about copied functions: types, records of functions and lines, CO-RE relocations, declarations of what
/// they use of the kernel.
struct CopyDescription {
    private typealias Record = BTFExtensionEditor.Record

    private let copies: CodeCopies
    private let copier: CodeCopier

    init(of copies: CodeCopies, _ copier: CodeCopier) {
        self.copies = copies
        self.copier = copier
    }

    /// - Parameter extensions: the object's `.BTF.ext`; nil if it has none.
    func add(to btf: inout BTFEditor, _ extensions: inout BTFExtensionEditor?) throws(ObjectError) {
        let section = btf.addString(".text")
        var declarations: [String: [BTFType.DataSectionEntry]] = [:]
        for (index, source) in copies.sources.enumerated() {
            try add(source, index, to: &btf, &extensions, section: section, &declarations)
        }
        for (name, entries) in declarations.sorted(by: { $0.key < $1.key }) {
            try btf.extend(dataSection: name, by: entries)
        }
    }

    private func add(
        _ source: CodeCopies.Source, _ index: Int, to btf: inout BTFEditor, _ extensions: inout BTFExtensionEditor?,
        section: UInt32, _ declarations: inout [String: [BTFType.DataSectionEntry]]
    ) throws(ObjectError) {
        guard let types = source.object.btf else { throw ObjectError(.noBTF, "\(source.object.name) has no BTF") }
        var transfer = try BTFTransfer(from: types)
        let numbers = copies.functions.indices.filter { copies.functions[$0].source == index }
        let copied = numbers.map { (function: source.object.functions[copies.functions[$0].function], place: copier.places[$0]) }
        var functions: [TypeID] = []
        for (function, _) in copied {
            guard let id = function.typeID else {
                throw ObjectError(
                    .noPrototype, "`\(function.name)` of \(source.object.name) has no type in the BTF, so it cannot be copied")
            }
            functions.append(id)
        }
        let externs = copier.newExterns.filter { $0.source == index }.compactMap { source.object.declaration(of: $0.name) }
        let records = try CopiedRecords(of: source.object, copied)
        let statics = zip(numbers, functions).filter { number, _ in !copies.globals.contains(number) }.map(\.1)
        try transfer.take(
            functions + externs.map(\.entry.type) + records.relocations.map { TypeID($0[1]) }, statics: Set(statics), to: &btf)

        for extern in externs {
            let entry = extern.entry
            declarations[extern.section, default: []].append(
                .init(type: transfer.ids[entry.type] ?? .void, offset: entry.offset, size: entry.size))
        }
        guard extensions != nil else { return }
        let places = zip(functions, copied).map { id, copy in
            Record(UInt32(copy.place.byteOffset), transfer.ids[id]?.value ?? 0, 0, 0)
        }
        extensions?.add(places, to: .functions, section: ".text", name: section)
        var lines = records.lines
        for index in lines.indices {
            lines[index][1] = try transfer.string(at: lines[index][1], to: &btf)
            lines[index][2] = try transfer.string(at: lines[index][2], to: &btf)
        }
        extensions?.add(lines, to: .lines, section: ".text", name: section)
        var relocations = records.relocations
        for index in relocations.indices {
            relocations[index][1] = transfer.ids[TypeID(relocations[index][1])]?.value ?? 0
            relocations[index][2] = try transfer.string(at: relocations[index][2], to: &btf)
        }
        extensions?.add(relocations, to: .relocations, section: ".text", name: section)
    }
}

/// The records of an object that tell about copied functions, with offsets as they are where the copies are.
private struct CopiedRecords {
    private(set) var lines: [BTFExtensionEditor.Record] = []
    private(set) var relocations: [BTFExtensionEditor.Record] = []

    init(of object: Object, _ copied: [(function: Function, place: InstructionIndex)]) throws(ObjectError) {
        guard let ext = object.section(named: ".BTF.ext"), let types = object.btf else { return }
        let editor = try BTFExtensionEditor(object.contents(of: ext), strings: try BTF.strings(types.section))
        for section in Set(copied.map(\.function.sectionName)) {
            let functions = copied.filter { $0.function.sectionName == section }
                .sorted { $0.function.instructions.lowerBound < $1.function.instructions.lowerBound }
            lines += Self.moved(editor.records(.lines, ofSection: section), functions)
            relocations += Self.moved(editor.records(.relocations, ofSection: section), functions)
        }
        // The verifier takes lines in the order of instructions only.
        lines.sort { $0[0] < $1[0] }
    }

    private static func moved(
        _ records: [BTFExtensionEditor.Record], _ functions: [(function: Function, place: InstructionIndex)]
    ) -> [BTFExtensionEditor.Record] {
        let moves = functions.map { (from: $0.function.instructions, to: $0.place) }
        return records.compactMap { record in
            let at = InstructionIndex(Int(record[0]) / Instruction.size)
            // The last function that begins at the instruction or before it.
            var low = 0
            var high = moves.count
            while low < high {
                let middle = (low + high) / 2
                if moves[middle].from.lowerBound <= at { low = middle + 1 } else { high = middle }
            }
            guard low > 0, moves[low - 1].from.contains(at) else { return nil }
            let (from, to) = moves[low - 1]
            var record = record
            record[0] = UInt32((to + (at.value - from.lowerBound.value)).byteOffset)
            return record
        }
    }
}

extension Object {
    /// How the object declares something of the kernel: the `BTF_KIND_DATASEC` and the entry in it.
    fileprivate func declaration(of name: String) -> (section: String, entry: BTFType.DataSectionEntry)? {
        for type in btf?.types ?? [] {
            guard case .dataSection(let entries) = type.content else { continue }
            if let entry = entries.first(where: { btf?[$0.type]?.isExtern(name) == true }) { return (type.name, entry) }
        }
        return nil
    }

    /// The contents of a section.
    func contents(of section: Section) -> ByteReader { ByteReader(bytes, section) }
}

extension BTFType {
    fileprivate func isExtern(_ name: String) -> Bool {
        switch content {
        case .function(_, .extern), .variable(_, .extern): self.name == name
        default: false
        }
    }
}
