// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFKernel
import BPFObject
import TestFixtures
import Testing

/// Damaged types become a header or an error: what is handed to libbpf is such that its writer comes to an end.
@Suite struct HeaderMutationTests {
    @Test(arguments: ["types", "prototypes", "memory"])
    func damagedTypesAreAHeaderOrAnError(library: String) throws {
        let object = try Object(bytes: Fixture.bytes(library), name: library)
        let original = try #require(object.btfBytes)
        var random = SplitMix(seed: 0x5eed)
        var written = 0
        var longest = 0
        var refused: Set<String> = []
        for _ in 0..<3_000 {
            var bytes = original
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                // The type table; ids and counts are small numbers.
                let word = 24 + 4 * Int.random(in: 0..<(bytes.count - 24) / 8, using: &random)
                let edges: [UInt32] = [0, 1, 0xffff_ffff, 0x7fff_ffff, 0x0400_0003, 0x8400_0002, 0x0d00_0004]
                let value = Bool.random(using: &random) ? UInt32.random(in: 0..<60, using: &random) : edges.randomElement(using: &random) ?? 0
                for index in 0..<4 { bytes[word + index] = UInt8(truncatingIfNeeded: value >> UInt32(8 * index)) }
            }
            guard let btf = try? BTF(bytes: bytes) else { continue }
            let functions = object.exports.compactMap { Prototype(of: $0.typeID, in: btf) }
            do throws(KernelError) {
                let header = try ExternHeader(functions, btf: bytes, source: library, guard: "h", kernel: .none())
                #expect(header.text.hasSuffix("#endif\n"))
                longest = max(longest, header.text.utf8.count)
                written += 1
            } catch {
                refused.insert(error.message)
                #expect(error.code == .header)
            }
        }
        // Damage that is never met, or always, would test nothing.
        #expect(written > 100 && refused.count > 10)
        #expect(longest < 1 << 20)
    }

    @Test func membersFarApartAreNotPadded() throws {
        // struct { int a; int b; } with b 2^31 bits behind a: a writer would pad that with lines.
        let error = try #require(throws: KernelError.self) {
            try header(
                types: [
                    [8, 1 << 24, 4, 1 << 24 | 32], [1, 0x0400_0002, 8, 3, 1, 0, 5, 1, 0x7fff_ffe0], [0, 0x0200_0000, 2],
                    [0, 0x0d00_0001, 1, 5, 3], [1, 0x0c00_0001, 4],
                ])
        }
        #expect(error.message == "test: type 2 of the BTF is too large to be written in C")
    }

    @Test func membersEndWithinTheirStruct() throws {
        // struct { int a; int b; } of 4 bytes: a writer would pad what it takes for left over.
        let error = try #require(throws: KernelError.self) {
            try header(
                types: [
                    [8, 1 << 24, 4, 1 << 24 | 32], [1, 0x0400_0002, 4, 3, 1, 0, 5, 1, 32], [0, 0x0200_0000, 2],
                    [0, 0x0d00_0001, 1, 5, 3], [1, 0x0c00_0001, 4],
                ])
        }
        #expect(error.message == "test: type 2 of the BTF has a member beyond its end")
    }

    @Test func typesThatHoldThemselvesEnd() throws {
        // struct s { struct s a; }
        let error = try #require(throws: KernelError.self) {
            try header(
                types: [
                    [8, 1 << 24, 4, 1 << 24 | 32], [1, 0x0400_0001, 8, 3, 2, 0], [0, 0x0200_0000, 2], [0, 0x0d00_0001, 1, 5, 3],
                    [1, 0x0c00_0001, 4],
                ])
        }
        #expect(error.message == "test: type 2 of the BTF nests too deep, or in itself, to be written in C")
    }

    /// The header of type 5, a function; the strings are `s`, `a`, `b`, `int` at 1, 3, 5, 8.
    private func header(types: [[UInt32]]) throws -> ExternHeader {
        let table = types.joined().flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) } }
        let strings = Array("\0s\0a\0b\0\0int\0".utf8)
        let words: [UInt32] = [0x0001_eb9f, 24, 0, UInt32(table.count), UInt32(table.count), UInt32(strings.count)]
        let bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> UInt32(8 * $0)) } } + table + strings
        let function = try #require(Prototype(of: TypeID(5), in: BTF(bytes: bytes)))
        return try ExternHeader([function], btf: bytes, source: "test", guard: "h", kernel: .none())
    }
}
