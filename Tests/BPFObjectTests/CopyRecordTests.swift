// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFObject
import Testing

/// Records of copies in the form in which programs have them, and bytes that claim to be one.
@Suite struct CopyRecordTests {
    private let record = CopyRecord([
        CopyRecord.Entry(program: 7, object: 9, objectName: "lib.bpf.o", function: "lib_add"),
        CopyRecord.Entry(program: 8, object: 9, objectName: "", function: "lib_sub"),
    ])

    @Test func whatIsWrittenIsReadAgain() throws {
        #expect(try CopyRecord(encoded: record.encoded, what: "map 1") == record)
        #expect(try CopyRecord(encoded: CopyRecord([]).encoded, what: "map 1").entries.isEmpty)
    }

    @Test func otherBytesAreRefusedByName() {
        let bytes = record.encoded
        #expect(fault([]) == "map 1 does not begin as a record of copies does")
        #expect(fault(changed(at: 8, to: 2)) == "map 1 has version 2 of the form in which copies are recorded, not 1")
        #expect(fault(bytes + [0]) == "map 1 has \(bytes.count + 1) bytes, of which \(bytes.count) are said to be used")
        #expect(fault(changed(at: 12, to: 255))?.hasPrefix("map 1 ends (after \(bytes.count) bytes)") == true)
        #expect(fault(changed(at: 24, to: 255))?.contains(" reaches beyond map 1") == true)
        #expect(fault(changed(at: 33, to: 0x1b)) == "a name in map 1 has a control character")
    }

    @Test func noBytesBreakTheReader() {
        let bytes = record.encoded
        for length in bytes.indices { #expect(fault(Array(bytes.prefix(length))) != nil) }
        for position in bytes.indices {
            for value: UInt8 in [0, 1, 0x7f, 0x80, 0xff] { _ = fault(changed(at: position, to: value)) }
        }
    }

    private func changed(at position: Int, to value: UInt8) -> [UInt8] {
        var bytes = record.encoded
        bytes[position] = value
        return bytes
    }

    private func fault(_ bytes: [UInt8]) -> String? {
        do throws(ObjectError) {
            _ = try CopyRecord(encoded: bytes, what: "map 1")
            return nil
        } catch {
            return error.message
        }
    }
}
