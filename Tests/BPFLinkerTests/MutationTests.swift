// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFLinker
import BPFObject
import TestFixtures
import Testing

/// Damaged objects: each is an error or an object, never a crash, and never takes long.
///
/// The damage is drawn from a seeded generator, so a failure repeats.
@Suite struct MutationTests {
    @Test(arguments: ["subprog", "import_socket", "weak", "externs", "prototypes", "library_on_library", "steps"])
    func aDamagedObjectIsAnErrorOrAnObject(fixture: String) throws {
        let original = try Fixture.bytes(fixture)
        let object = try Object(fixture: fixture)
        let library = try ProviderSnapshot(fixture: "subprog")
        var random = SplitMix(seed: 0x5eed)
        var readable = 0
        var faults: Set<ObjectError.Code> = []
        let variants = 1_000
        for _ in 0..<variants {
            let bytes = Mutation.draw(for: object, &random).applied(to: original)
            switch outcome(bytes, library) {
            case nil: readable += 1
            case let code?: faults.insert(code)
            }
        }
        // Damage that changes nothing, or changes everything, would test nothing.
        #expect(readable > 0 && readable < variants)
        #expect(faults.isSuperset(of: [.malformed, .truncated]))
    }

    /// What a provider carries is as hostile as any file: copying from it is an error, or an object that can be read.
    @Test(arguments: ["rich", "subprog"])
    func copiesOfADamagedObjectAreAnErrorOrAnObject(fixture: String) throws {
        let object = try Object(fixture: fixture)
        let importer = try Object(fixture: fixture == "rich" ? "import_rich" : "import_socket")
        var random = SplitMix(seed: 0xc0b1e5)
        var options = LinkOptions()
        options.mode = .copy
        var copied = 0
        for _ in 0..<1_000 {
            let bytes = Mutation.draw(for: object, &random).applied(to: object.bytes)
            guard let damaged = try? Object(bytes: bytes, name: "damaged") else { continue }
            let maps = CopyTests.richMaps
            let carried = try Carried(root: 1, objects: [1: CarriedObject(object: damaged, maps: maps, imports: [:])])
            let provider = ProviderSnapshot(
                reference: "7", id: 17, name: "damaged", tag: "", type: "", exports: carried.exports, carried: carried)
            guard let plan = try? link(importer, libraries: [provider], options: options),
                let merged = try? plan.rewrittenObject(maps: maps.reduce(into: [:]) { $0[$1.value] = 3 })
            else { continue }
            copied += 1
            _ = try Object(bytes: merged, name: "merged")
        }
        #expect(copied > 100 && copied < 1_000)
    }

    @Test(arguments: ["subprog", "import_socket"])
    func everyTruncationIsAnError(fixture: String) throws {
        let bytes = try Fixture.bytes(fixture)
        for length in stride(from: 0, to: bytes.count, by: 7) {
            #expect(throws: ObjectError.self) { try Object(bytes: Array(bytes.prefix(length)), name: "test") }
        }
    }

    /// Reads, links and writes; the code of the error if it cannot be read.
    private func outcome(_ bytes: [UInt8], _ library: ProviderSnapshot) -> ObjectError.Code? {
        do throws(ObjectError) {
            let object = try Object(bytes: bytes, name: "test")
            do throws(LinkErrors) {
                var sharing = LinkOptions()
                sharing.shares = true
                _ = try? link(object, libraries: [library], options: sharing).rewrittenObject()
                _ = try link(object)
            } catch {
                #expect(!error.errors.isEmpty)
            }
            return nil
        } catch {
            #expect(!error.message.isEmpty)
            return error.code
        }
    }
}

/// One way to damage an object.
private enum Mutation {
    case truncate(Int)
    case bytes([(position: Int, value: UInt8)])
    case word(position: Int, value: UInt64, size: Int)

    /// Half of the damage goes where offsets, sizes and counts are: file header, section headers, symbols, relocations, BTF.
    static func draw(for object: Object, _ random: inout SplitMix) -> Mutation {
        let count = object.bytes.count
        switch Int.random(in: 0..<10, using: &random) {
        case 0: return .truncate(Int.random(in: 0..<count, using: &random))
        case 1, 2:
            return .bytes(
                (0..<Int.random(in: 1...8, using: &random)).map { _ in
                    (Int.random(in: 0..<count, using: &random), UInt8.random(in: 0...255, using: &random))
                })
        case 3: return .word(position: Int.random(in: 16..<64, using: &random), value: value(&random), size: 2)
        case 4, 5:
            let table = Int(object.bytes[40...47].reversed().reduce(0) { $0 << 8 | UInt64($1) })
            let header = Int.random(in: 0..<object.sections.count, using: &random)
            let fields = [(0, 4), (4, 4), (8, 8), (24, 8), (32, 8), (40, 4), (44, 4), (56, 8)]
            let field = fields.randomElement(using: &random) ?? fields[0]
            return .word(position: table + header * 64 + field.0, value: value(&random), size: field.1)
        default:
            let tables = [".symtab", ".BTF", ".BTF.ext", ".strtab", ".text", "socket", ".rel.text", ".relsocket"]
            let sections = object.sections.filter { tables.contains($0.name) && $0.hasContents && $0.size > 8 }
            let section = sections.randomElement(using: &random) ?? object.sections[1]
            let position = section.offset.value + Int.random(in: 0..<(section.size - 7), using: &random)
            return .word(
                position: position, value: value(&random), size: [1, 2, 4, 8].randomElement(using: &random) ?? 4)
        }
    }

    /// Numbers at which arithmetic breaks, and some that do not stand out.
    private static func value(_ random: inout SplitMix) -> UInt64 {
        let edges: [UInt64] = [
            0, 1, 2, 7, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff,
            0x7fff_ffff_ffff_ffff, .max, .max - 7, 1 << 32, 1 << 63,
        ]
        return Bool.random(using: &random)
            ? edges.randomElement(using: &random) ?? 0 : UInt64.random(in: 0...4096, using: &random)
    }

    func applied(to bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        switch self {
        case .truncate(let length): bytes.removeLast(bytes.count - length)
        case .bytes(let changes): for change in changes { bytes[change.position] = change.value }
        case .word(let position, let value, let size):
            for index in 0..<size where position + index < bytes.count {
                bytes[position + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * index))
            }
        }
        return bytes
    }
}
