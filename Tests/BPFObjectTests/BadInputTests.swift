// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFObject
import TestFixtures
import Testing

/// What bytes get that are not an object: an error of its own for each fault.
@Suite struct BadInputTests {
    @Test func nothingIsNotAnELFFile() {
        #expect(fault([])?.code == .notELF)
        #expect(fault([])?.message == "is empty, not an ELF file")
    }

    @Test func textIsNotAnELFFile() throws {
        #expect(fault(Array("int main(void) { return 0; }".utf8))?.code == .notELF)
    }

    @Test func anObjectOfAnotherMachineIsNamed() throws {
        let error = try #require(try fault(patched("plain") { $0.put16(62, at: 18) }))
        #expect(error.code == .wrongMachine)
        #expect(error.message == "is for machine 62, not for BPF (247)")
    }

    @Test func aBigEndianObjectIsNotRead() throws {
        #expect(fault(try patched("plain") { $0[5] = 2 })?.code == .wrongMachine)
    }

    @Test func anExecutableIsNotAnObject() throws {
        let error = try #require(try fault(patched("plain") { $0.put16(2, at: 16) }))
        #expect(error.code == .wrongMachine)
        #expect(error.message.contains("relocatable"))
    }

    @Test func aHeaderCutOffIsTruncated() throws {
        let error = try #require(try fault(Array(Fixture.bytes("plain").prefix(40))))
        #expect(error.code == .truncated)
        #expect(error.offset == FileOffset(40))
    }

    @Test func aSectionTableCutOffIsAnError() throws {
        let bytes = try Fixture.bytes("plain")
        let position = bytes.get64(at: 40)
        for size in [64, Int(position), Int(position) + 1, bytes.count - 1] {
            let error = try #require(fault(Array(bytes.prefix(size))))
            #expect(error.code == .truncated)
            #expect("\(error)" == "is cut off: section headers at \(position) reach beyond the end of the file (\(size) bytes)")
        }
    }

    @Test func aSectionBeyondTheEndIsTruncated() throws {
        let error = try #require(try fault(patched("plain") { $0.put64(1 << 40, at: try header(".BTF", in: $0) + 32) }))
        #expect(error.code == .truncated)
        #expect(error.message.contains("reaches beyond the end of the file"))
    }

    @Test func sectionsThatOverlapAreAnError() throws {
        let whole = try Object(fixture: "steps")
        let tables = whole.sections.filter { $0.name.hasPrefix(".rel") && !$0.name.contains(".debug") }
        let (one, other) = try #require(zip(tables, tables.dropFirst()).first { $0.range.upperBound == $1.range.lowerBound })
        let error = try #require(
            try fault(patched("steps") { $0.put64(UInt64(one.size + 16), at: try header(one.name, in: $0) + 32) }))
        #expect(error.code == .malformed)
        #expect(error.message == "section \(one.name) and section \(other.name) overlap in the file")
        #expect(error.offset == other.offset)
    }

    @Test func aSectionInTheHeadersIsAnError() throws {
        let license = try patched("plain") { $0.put64(60, at: try header("license", in: $0) + 24) }
        #expect(fault(license)?.message == "the ELF header and section license overlap in the file")
        let table = try patched("plain") { $0.put64($0.get64(at: 40), at: try header("license", in: $0) + 24) }
        #expect(fault(table)?.message.hasSuffix("overlap in the file") == true)
    }

    @Test func entriesOfAWrongSizeAreAnError() throws {
        let error = try #require(try fault(patched("plain") { $0.put64(7, at: try header(".symtab", in: $0) + 56) }))
        #expect(error.code == .malformed)
        #expect(error.message.contains("in entries of 7, not of 24"))
    }

    @Test func aLibraryWithoutTypeInformationIsTold() throws {
        // A section of another name is not the one that is looked for.
        let error = try #require(try fault(patched("subprog") { $0.replaceName(of: ".BTF", with: ".btf") }))
        #expect(error.code == .noBTF)
        #expect(error.help == "compile with `-g`")
    }

    @Test func anImporterWithoutTypeInformationIsToldWithItsPlaces() throws {
        let error = try #require(try fault(patched("import_kprobe") { $0.replaceName(of: ".BTF", with: ".btf") }))
        #expect(error.code == .noBTF)
        #expect(error.sites.map(\.function) == ["on_rename"])
    }

    /// Such a call would go into the midst of a copied function.
    @Test(arguments: [0, 1, 0x7fff_ffff] as [UInt32])
    func aCallOfSomethingBesideAnImportIsAnError(immediate: UInt32) throws {
        let object = try Object(bytes: Fixture.bytes("steps_import"), name: "")
        let site = try #require(object.imports.first?.sites.first)
        let error = try #require(
            try fault(patched("steps_import") { bytes in
                let place = object.sections[site.section.value].offset.value + site.instruction.byteOffset + 4
                for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: immediate >> (8 * index)) }
            }))
        #expect(error.code == .malformed)
        #expect(
            error.message == "instruction \(site.instruction) of section \(site.sectionName) refers to something beside "
                + "`bpf_subprog_scale`: its immediate is \(immediate)")
    }

    @Test func anImportThatTheTypeInformationDoesNotKnowHasNoPrototype() throws {
        let bytes = try patched("import_kprobe") { bytes in
            let section = try #require(try Object(bytes: bytes, name: "").sections.first { $0.name == ".BTF" })
            let name = Array("bpf_subprog\0".utf8)
            let start = try #require(
                section.range.first { $0 + name.count <= bytes.count && Array(bytes[$0..<($0 + name.count)]) == name })
            bytes[start] = UInt8(ascii: "B")
        }
        let error = try #require(fault(bytes))
        #expect(error.code == .noPrototype)
        #expect(error.message == "import `bpf_subprog` has no prototype in the BTF")
        let instruction = try #require(error.sites.first?.instruction)
        #expect(
            error.sites.map(\.description) == [
                "`on_rename` (section kprobe/__set_task_comm, instruction \(instruction), import_kprobe.bpf.c:12)"
            ])
    }

    @Test func aSecondTableOfRelocationsForOneSectionIsAnError() throws {
        let error = try #require(
            try fault(patched("import_socket") { bytes in
                // .rel.text becomes a table for the section that .relsocket patches.
                let other = try header(".relsocket", in: bytes)
                let one = try header(".rel.text", in: bytes)
                bytes.replaceSubrange((one + 44)..<(one + 48), with: bytes[(other + 44)..<(other + 48)])
            }))
        #expect(error.message == "section socket has more than one table of relocations")
    }

    @Test func aNameThatWouldSteerATerminalIsAnError() throws {
        let error = try #require(try fault(patched("import_kprobe") { $0.replaceName(of: "on_rename", with: "on_re\u{1b}ame") }))
        #expect(error.code == .malformed)
        #expect(error.message.hasPrefix("string with a control character in section .strtab"))
    }

    @Test func anImportsAddressInDataIsNotSupported() throws {
        let error = try #require(try fault(Fixture.bytes("stored")))
        #expect(error.code == .unsupported)
        #expect(
            error.message == "the address of import `bpf_subprog_scale` is stored in section .data; an import can only be called")
    }

    @Test func twoSymbolsForOneImportAreAnError() throws {
        let object = try Object(fixture: "import_contexts")
        let table = try #require(object.sections.first { $0.name == ".symtab" }).offset.value
        let entries = object.imports.map { table + 24 * $0.symbol.value }
        try #require(entries.count == 2)
        var bytes = object.bytes
        // st_name
        bytes.replaceSubrange(entries[1]..<(entries[1] + 4), with: object.bytes[entries[0]..<(entries[0] + 4)])
        let error = try #require(fault(bytes))
        #expect(error.code == .malformed)
        #expect(error.message == "has two symbols for the import `\(object.imports[0].name)`")
    }

    private static let damagedTypes: [(types: [UInt32], reason: String)] = [
        // A pointer to a type of no number.
        ([0, 0x0200_0000, 9], "a type refers to type 9, but the last is 1"),
        // A struct that states more members than there are.
        ([0, 0x0400_01f4, 8], "type table of BTF ends (after 12 bytes) where 4 more are needed"),
        // A kind that nobody defined.
        // Nothing is read of the third word of either.
        ([0, 0x0700_0000], "type table of BTF ends (after 8 bytes) where 4 more are needed"),
        ([0, 0x0f00_0000], "type table of BTF ends (after 8 bytes) where 4 more are needed"),
        ([0, 0x1f00_0000, 0], "type table of BTF has a type of unknown kind 31"),
        // A name beyond the strings.
        ([77, 0x0700_0000, 0], "strings of BTF ends (after 1 bytes) where 1 more are needed"),
    ]

    @Test(arguments: damagedTypes)
    func damagedTypesAreAnError(types: [UInt32], reason: String) throws {
        let size = UInt32(types.count * 4)
        let words: [UInt32] = [0x0001_eb9f, 24, 0, size, size, 1] + types
        var bytes: [UInt8] = []
        for word in words { bytes += (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) } }
        bytes.append(0)
        do throws(ObjectError) {
            _ = try BTF(bytes: bytes)
            Issue.record("read")
        } catch {
            #expect(error.message == reason)
            #expect(error.offset != nil)
        }
    }

    @Test(arguments: [(field: 8, table: "func_info"), (field: 16, table: "line_info")])
    func aTableWithoutRecordsCannotStateHugeOnes(field: Int, table: String) throws {
        // Whoever adds a record to such a table writes that much.
        let bytes = try patched("subprog") { bytes in
            let section = try #require(try Object(bytes: bytes, name: "").sections.first { $0.name == ".BTF.ext" })
            let start = section.offset.value
            let offset = bytes.get64(at: start + field) & 0xffff_ffff
            bytes.put64(offset | 4 << 32, at: start + field)
            let table = start + 32 + Int(offset)
            bytes.put64(bytes.get64(at: table) & ~0xffff_ffff | 0x7fff_fff0, at: table)
        }
        let error = try #require(fault(bytes))
        #expect(error.code == .malformed)
        #expect(error.message == "\(table) of section .BTF.ext states records of 2147483632 bytes")
    }

    // MARK: Helpers

    private func patched(_ fixture: String, _ change: (inout [UInt8]) throws -> Void) throws -> [UInt8] {
        var bytes = try Fixture.bytes(fixture)
        try change(&bytes)
        return bytes
    }

    /// Where a section's header lies.
    private func header(_ name: String, in bytes: [UInt8]) throws -> Int {
        let object = try Object(bytes: bytes, name: "")
        let section = try #require(object.sections.first { $0.name == name })
        return Int(bytes.get64(at: 40)) + 64 * section.index.value
    }
}

extension [UInt8] {
    mutating func put16(_ value: UInt16, at position: Int) {
        for index in 0..<2 { self[position + index] = UInt8(truncatingIfNeeded: value >> UInt16(8 * index)) }
    }

    mutating func put64(_ value: UInt64, at position: Int) {
        for index in 0..<8 { self[position + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index)) }
    }

    func get64(at position: Int) -> UInt64 {
        (0..<8).reduce(0) { $0 | UInt64(self[position + $1]) << UInt64(8 * $1) }
    }

    /// Renames every occurrence of a string with its end; the new name is as long as the old.
    mutating func replaceName(of old: String, with new: String) {
        let old = Array(old.utf8) + [0]
        let new = Array(new.utf8) + [0]
        for start in indices where start + old.count <= count && Array(self[start..<(start + old.count)]) == old {
            replaceSubrange(start..<(start + old.count), with: new)
        }
    }
}
