// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFObject
import TestFixtures
import Testing

/// Objects in the form in which providers carry them: written and read again, and bytes that claim to be one.
@Suite struct CarriedObjectTests {
    @Test(arguments: ["subprog", "rich", "library_on_library", "import_socket"])
    func whatIsWrittenIsReadAgain(fixture: String) throws {
        let object = try Object(bytes: Fixture.bytes(fixture), name: "\(fixture).bpf.o")
        let carried = CarriedObject(object: object, maps: ["counts": 7, ".bss": 9], imports: ["bpf_subprog": 11])
        let read = try CarriedObject(encoded: carried.encoded, what: "map 1")
        #expect(read.maps == carried.maps && read.imports == carried.imports)
        #expect(read.object.name == object.name)
        #expect(read.object.functions.map(\.name) == object.functions.map(\.name))
        #expect(read.object.calls == object.calls)
        #expect(read.object.exports.map { "\($0.prototype)" } == object.exports.map { "\($0.prototype)" })
        #expect(read.object.imports.map(\.sites) == object.imports.map(\.sites))
        #expect(read.object.symbols.map(\.name) == object.symbols.map(\.name))
        // Written once more it is the same: nothing is lost on the way.
        #expect(read.encoded == carried.encoded)
    }

    @Test func debuggingSectionsAreNotKept() throws {
        let object = try Object(bytes: Fixture.bytes("subprog"), name: "subprog.bpf.o")
        let kept = try Object(bytes: ELFRewriter.withoutDebugging(object), name: "subprog.bpf.o")
        #expect(kept.bytes.count < object.bytes.count * 3 / 4)
        #expect(kept.sections.map(\.name) == object.sections.map(\.name))
        for (a, b) in zip(object.sections, kept.sections) {
            let isDebugging = a.name.contains(".debug_")
            #expect(isDebugging ? b.size == 0 : Array(object.bytes[a.range]) == Array(kept.bytes[b.range]), "\(a.name)")
        }
    }

    /// What goes leaves nothing behind that could be taken for something else, whatever it was called.
    @Test(arguments: [".BTF", ".BTF.ext"])
    func aTableThatGoesIsNotReadByItsName(name: String) throws {
        let whole = try Object(bytes: Fixture.bytes("import_socket"), name: "")
        let headers = (0..<8).reduce(0) { $0 | Int(whole.bytes[40 + $1]) << (8 * $1) }
        func nameField(_ name: String) throws -> Range<Int> {
            let start = headers + 64 * (try #require(whole.sections.first { $0.name == name })).index.value
            return start..<(start + 4)
        }
        var bytes = whole.bytes
        bytes.replaceSubrange(try nameField(".rel.debug_info"), with: whole.bytes[try nameField(name)])
        let object = try Object(bytes: bytes, name: "")
        try #require(object.sections.filter { $0.name == name }.count == 2)
        let kept = try Object(bytes: ELFRewriter.withoutDebugging(object), name: "")
        #expect(kept.license == whole.license)
        #expect(kept.imports.map(\.name) == whole.imports.map(\.name))
    }

    /// The fixture's `.strtab`, `.symtab` and `.rel.text`, by their types, and its code.
    @Test(arguments: [".strtab", ".symtab", ".rel.text", ".text"])
    func whatOthersReferToIsKeptWhateverItIsCalled(name: String) throws {
        var bytes = try Fixture.bytes("subprog")
        let object = try Object(bytes: bytes, name: "")
        let section = try #require(object.sections.first { $0.name == name })
        let debugging = try #require(object.sections.first { $0.name == ".debug_info" })
        // sh_name of the one becomes that of the other; code need not be allocated to be code.
        let table = Int(bytes.get64(at: 40))
        for index in 0..<4 { bytes[table + 64 * section.index.value + index] = bytes[table + 64 * debugging.index.value + index] }
        if name == ".text" { bytes.put64(4, at: table + 64 * section.index.value + 8) }
        let renamed = try Object(bytes: bytes, name: "renamed")
        #expect(renamed.sections[section.index.value].name == ".debug_info")
        let kept = try Object(bytes: ELFRewriter.withoutDebugging(renamed), name: "kept")
        #expect(kept.functions.map(\.name) == renamed.functions.map(\.name))
        #expect(kept.relocations.map(\.offset) == renamed.relocations.map(\.offset))
    }

    @Test func otherBytesAreRefusedByName() throws {
        let bytes = try encoded()
        #expect(fault([])?.message == "map 1 does not begin as a carried object does")
        #expect(fault(Array(repeating: 0, count: 64))?.message == "map 1 does not begin as a carried object does")
        #expect(fault(changed(bytes, at: 8, to: 2))?.message == "map 1 has version 2 of the form in which objects are carried, not 1")
        #expect(fault(bytes + [0])?.message == "map 1 states \(bytes.count) bytes and has \(bytes.count + 1)")
        #expect(fault(changed(bytes, at: 16, to: 255))?.code == .malformed)
        #expect(fault(changed(bytes, at: 28, to: 1))?.code == .truncated || fault(changed(bytes, at: 28, to: 1))?.code == .malformed)
        // The first byte of the object's name.
        #expect(fault(changed(bytes, at: 32, to: 0x1b))?.message == "a name in map 1 has a control character")
    }

    @Test func noBytesBreakTheReader() throws {
        let bytes = try encoded()
        for length in stride(from: 0, to: bytes.count, by: 5) { #expect(fault(Array(bytes.prefix(length))) != nil) }
        for position in 0..<200 {
            for value: UInt8 in [0, 1, 0x7f, 0x80, 0xff] { _ = fault(changed(bytes, at: position, to: value)) }
        }
    }

    private func encoded() throws -> [UInt8] {
        let object = try Object(bytes: Fixture.bytes("subprog"), name: "subprog.bpf.o")
        return CarriedObject(object: object, maps: ["counts": 7], imports: [:]).encoded
    }

    private func changed(_ bytes: [UInt8], at position: Int, to value: UInt8) -> [UInt8] {
        var bytes = bytes
        bytes[position] = value
        return bytes
    }

    private func fault(_ bytes: [UInt8]) -> ObjectError? {
        do throws(ObjectError) {
            _ = try CarriedObject(encoded: bytes, what: "map 1")
            return nil
        } catch {
            return error
        }
    }
}
