// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFLinker
import BPFObject
import Glibc

// What libFuzzer runs (https://llvm.org/docs/LibFuzzer.html): bytes are read, linked and written as `bpflink` does it. Whatever
// the bytes are, the result is a value or an error; a trap, an invalid access, endless work or memory out of proportion is a fault.

@_silgen_name("allocations_watch") private func watchAllocations() -> CInt
@_silgen_name("allocations_reset") private func resetAllocations()
@_silgen_name("allocations_peak") private func peakOfAllocations() -> Int

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutableRawPointer, _ arguments: UnsafeMutableRawPointer) -> CInt {
    // What is made once belongs to no input.
    _ = partners
    guard watchAllocations() == 0 else { fatalError("allocations cannot be counted") }
    return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    resetAllocations()
    let bytes = Array(UnsafeBufferPointer(start: start, count: count))
    if bytes.starts(with: [0x9f, 0xeb]) {
        readTypes(bytes)
    } else if bytes.starts(with: Array("bpflink".utf8)) {
        readCarried(bytes)
    } else if bytes.starts(with: Array("bpfcopy".utf8)) {
        readCopies(bytes)
    } else {
        readObject(bytes)
    }
    Limit.check(peakOfAllocations(), for: count)
    return 0
}

/// How much memory reading may take.
private enum Limit {
    /// A record of 12 bytes becomes a value with a name and a place in two tables; the file is copied for libelf and for writing.
    static let bytesPerByte = 200
    static let bytes = 1 << 20

    static func check(_ peak: Int, for count: Int) {
        if peak > bytes + count * bytesPerByte { fatalError("\(peak) bytes of memory for \(count) of input") }
    }
}

/// BTF by itself, as the kernel gives it of a provider.
private func readTypes(_ bytes: [UInt8]) {
    do throws(ObjectError) {
        let types = try BTF(bytes: bytes)
        for id in types.types.indices { describe(Prototype(of: TypeID(UInt32(id)), in: types)) }
    } catch {
        check(error)
    }
}

private func readObject(_ bytes: [UInt8]) {
    do throws(ObjectError) {
        let object = try Object(bytes: bytes, name: "fuzz.bpf.o")
        for wanted in object.imports { describe(wanted.prototype) }
        for export in object.exports {
            describe(export.prototype)
            for wanted in object.imports {
                if let difference = wanted.prototype.firstDifference(from: export.prototype) { check("\(difference)") }
            }
        }
        let inspector = FunctionInspector(object)
        for index in object.functions.indices {
            let facts = inspector.facts(of: index)
            if facts.stack < 0 || !Set(facts.callees).isSubset(of: object.functions.map(\.name)) { fatalError("\(facts)") }
        }
        _ = object.maps()
        writeHeader(object.exports.map(\.prototype))
        link(object, shares: true)
        link(object, shares: false)
        copy(object)
    } catch {
        check(error)
    }
}

/// The types that a header of the exports would define.
private func writeHeader(_ functions: [Prototype]) {
    guard let btf = functions.first?.btf else { return }
    do throws(ObjectError) {
        let types = try HeaderTypes(of: functions, in: btf) { $0.hasPrefix("bpf_") }
        if types.definitions.contains(where: { btf[$0] == nil }) { fatalError("a type to define is not there") }
    } catch {
        check(error)
    }
}

private func describe(_ prototype: Prototype?) {
    guard let prototype else { return }
    check("\(prototype)")
    _ = prototype.obstacle
}

/// Links an object with nothing, and with a library of its own exports and imports.
private func link(_ object: Object, shares: Bool) {
    let library = ProviderSnapshot(
        reference: "7", id: 1, name: "library", tag: "", type: "socket_filter",
        exports: (object.exports.map(\.prototype) + object.imports.map(\.prototype)).map {
            ProviderExport(prototype: $0, hasBody: shares)
        })
    var options = LinkOptions()
    options.shares = shares
    options.kernelHasBodies = shares
    for libraries in [[], [library]] {
        do throws(LinkErrors) {
            let plan = try BPFLinker.link(object, libraries: libraries, options: options)
            for fixup in plan.fixups { check("\(fixup)") }
            write(plan)
            // What is no export is written in another way.
            write(try plan.refusing { for export in object.exports { $0.exports[export.name] = ["no"] } })
        } catch {
            if error.errors.isEmpty { fatalError("no reason why it cannot be linked") }
        }
    }
}

/// Objects that functions are copied from and into; the one under test is the other side.
private let partners: [Object] = ["subprog", "import_socket", "library_on_library"].map { name in
    do {
        return try Object(bytes: Fixture.bytes(name), name: name)
    } catch {
        fatalError("\(error)")
    }
}

/// Copies functions of carried objects, as on a kernel without calls between programs.
private func copy(_ object: Object) {
    var options = LinkOptions()
    options.mode = .copy
    for partner in partners {
        for (importer, library) in [(object, partner), (partner, object)] {
            let maps = library.maps().map(\.name) + library.sections.map(\.name)
            let ids = Dictionary(zip(maps, UInt32(1)...), uniquingKeysWith: { a, _ in a })
            let carried = CarriedObject(object: library, maps: ids, imports: [:])
            guard let whole = try? Carried(root: 7, objects: [7: carried]) else { continue }
            let provider = ProviderSnapshot(
                reference: "7", id: 1, name: "library", tag: "", type: "socket_filter", exports: whole.exports,
                carried: whole)
            if let plan = try? BPFLinker.link(importer, libraries: [provider], options: options) { write(plan) }
        }
    }
    // What a provider carries reads again as it was.
    let carried = CarriedObject(object: object, maps: ["m": 1], imports: ["f": 2])
    do throws(ObjectError) {
        let again = try CarriedObject(encoded: carried.encoded, what: "carried")
        if again.object.exports.count != object.exports.count { fatalError("exports are lost on the way") }
    } catch {
        fatalError("what is carried cannot be read: \(error)")
    }
}

private func readCarried(_ bytes: [UInt8]) {
    do throws(ObjectError) {
        let carried = try CarriedObject(encoded: bytes, what: "carried")
        _ = try? Carried(root: 1, objects: [1: carried])
    } catch {
        check(error)
    }
}

/// What a program has copies of, as the kernel gives it.
private func readCopies(_ bytes: [UInt8]) {
    do throws(ObjectError) {
        let record = try CopyRecord(encoded: bytes, what: "copies")
        if record.encoded != bytes { fatalError("what is recorded is not as it was read") }
    } catch {
        check(error)
    }
}

/// What is written can be read again, and has nothing left to import.
private func write(_ plan: LinkPlan) {
    let bytes: [UInt8]
    do throws(ObjectError) { bytes = try plan.rewrittenObject() } catch { return check(error) }
    do throws(ObjectError) {
        let written = try Object(bytes: bytes, name: "written")
        if !written.imports.isEmpty { fatalError("imports are left in what is written") }
        let entries = plan.object.entryPrograms.count + (plan.syntheticEntry == nil ? 0 : 1)
        if written.entryPrograms.count != entries { fatalError("\(written.entryPrograms.count) programs are written of \(entries)") }
    } catch {
        fatalError("what is written cannot be read: \(error)")
    }
}

private func check(_ error: ObjectError) {
    check("\(error)")
    if error.message.isEmpty { fatalError("an error without words") }
}

/// Text is bounded, and has nothing in it that steers a terminal.
private func check(_ text: String) {
    if text.utf8.count > 1 << 16 { fatalError("a text of \(text.utf8.count) bytes") }
    if text.utf8.contains(where: { $0 < 0x20 && $0 != 0x0a }) { fatalError("a control character in a text") }
}
