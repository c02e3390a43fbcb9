// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import BPFLinker
import BPFObject
import CLibbpf
import Glibc
import TestFixtures

/// A loaded program that others import from.
final class Provider: SlotContent, Sendable {
    let program: OpenProgram
    private let object: LoadedObject?

    /// Takes over a program that is loaded by hand.
    init(_ raw: OwnedDescriptor) throws {
        program = try raw.opened()
        object = nil
    }

    /// Takes over an object whose first program exports.
    init(_ object: LoadedObject) throws {
        self.object = object
        program = try OpenProgram.open(.id(object.programs[0].info.id))
    }

    var number: CInt { program.descriptor.number }
    /// What the kernel told of it when it was loaded.
    var info: ProgramInfo { program.info }

    /// What the kernel tells of it now.
    func current() throws -> ProgramInfo { try OpenProgram.open(.id(info.id)).info }

    func snapshot(as selector: ProgramSelector? = nil) throws -> ProviderSnapshot {
        try program.providerSnapshot(namedAs: selector ?? .id(info.id))
    }

    /// The id of the map whose name ends in `name`.
    func map(_ name: String) throws -> UInt32 { try require(object, "a program loaded by hand has no maps").map(name) }

    /// The native address of an export.
    func address(of name: String) throws -> UInt64 {
        let exports = try program.exports()
        let index = try require(exports.firstIndex { $0.name == name }, "\(info.name) exports no \(name)")
        return info.jitedSymbols[info.exports[index].functionIndex]
    }
}

extension OwnedDescriptor {
    /// The program that it refers to.
    func opened() throws -> OpenProgram {
        try withExtendedLifetime(self) { try OpenProgram.open(.descriptor(number)) }
    }
}

extension LoadedObject {
    func map(_ name: String) throws -> UInt32 {
        try require(maps.first { $0.name.hasSuffix(name) }, "no map \(name) among \(maps.map { $0.name })").id
    }

    func program(_ name: String) throws -> LoadedProgram {
        try require(programs.first { $0.name == name }, "no program \(name) among \(programs.map { $0.name })")
    }
}

/// Loads a fixture as a library.
///
/// - Parameter entry: the section, and so the type, of the entry program that a library without one gets.
func library(_ fixture: String, from providers: [Provider] = [], entry: String = "socket") throws -> Provider {
    var options = LoadOptions()
    options.exports = true
    return try Provider(load(fixture, from: providers, entry: entry, options: options))
}

/// Links and loads a fixture.
///
/// - Parameter only: the names of the programs that are wanted; none are all.
func load(
    _ fixture: String, only: [String] = [], from providers: [Provider] = [], entry: String = "socket",
    options: LoadOptions = LoadOptions()
) throws -> LoadedObject {
    let object = try Object(bytes: try Fixture.bytes(fixture), name: "\(fixture).bpf.o")
    let snapshots = try providers.map { try $0.snapshot() }
    var linking = Mode.options(entry: entry)
    linking.only = only
    let plan = try link(object, libraries: snapshots, options: linking)
    return try load(plan, from: providers.map { $0.program }, options: options)
}

/// Links, loads and attaches a fixture.
func load(_ fixture: String, from providers: [Provider], attaching target: AttachTarget) throws -> LoadedObject {
    var options = LoadOptions()
    options.attach = [target]
    return try load(fixture, from: providers, options: options)
}

/// Loads a fixture as if the provider exported just what the fixture declares: the kernel is the one to say no.
func loadUnchecked(_ fixture: String, from provider: Provider) throws -> LoadedObject {
    let object = try Object(bytes: try Fixture.bytes(fixture), name: "\(fixture).bpf.o")
    let snapshot = ProviderSnapshot(
        reference: "id=\(provider.info.id)", id: provider.info.id, name: provider.info.name, tag: provider.info.tag,
        type: provider.info.type.description, exports: object.imports.map { ProviderExport(prototype: $0.prototype) })
    return try load(try link(object, libraries: [snapshot]), from: [provider.program], options: LoadOptions())
}

/// Loads a plan from whichever of the programs it needs.
func load(_ plan: LinkPlan, from programs: [OpenProgram], options: LoadOptions) throws -> LoadedObject {
    let slots = try plan.providers.map { wanted in
        try require(programs.first { $0.info.id == wanted.id }, "\(wanted) is not among the providers")
    }
    return try Loader.load(plan, providers: slots, options: options)
}

/// Lends a descriptor of a map.
func withMap<Result>(_ id: UInt32, _ body: (CInt) throws -> Result) throws -> Result {
    let map = try OwnedDescriptor(bpf_map_get_fd_by_id(id), "map \(id)")
    return try withExtendedLifetime(map) { try body(map.number) }
}

/// The value of an array map's element, which is a `long`.
func element(_ key: Int32 = 0, ofMap id: UInt32, offset: Int = 0) throws -> Int {
    let map = try OwnedDescriptor(bpf_map_get_fd_by_id(id), "map \(id)")
    var info = bpf_map_info()
    var size = UInt32(MemoryLayout<bpf_map_info>.size)
    try expect(bpf_obj_get_info_by_fd(map.number, &info, &size) == 0, "no information on map \(id)")
    var value = [UInt8](repeating: 0, count: Int(info.value_size))
    var key = key
    let result = bpf_map_lookup_elem(map.number, &key, &value)
    try expect(result == 0, "element \(key) of map \(id): \(String(cString: strerror(-result)))")
    return value.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Int.self) }
}

/// A map of `long`s or larger, made by hand.
func makeMap(_ type: bpf_map_type = BPF_MAP_TYPE_ARRAY, valueSize: UInt32 = 8, entries: UInt32 = 1, flags: UInt32 = 0) throws
    -> OwnedDescriptor
{
    var options = bpf_map_create_opts()
    options.sz = MemoryLayout<bpf_map_create_opts>.size
    options.map_flags = flags
    return try OwnedDescriptor(bpf_map_create(type, "made", 4, valueSize, entries, &options), "map")
}

/// An array of one instruction of a program, to which the program may jump.
///
/// - Parameter target: the instruction's index.
func makeInstructionArray(target: Int) throws -> OwnedDescriptor {
    // BPF_MAP_TYPE_INSN_ARRAY (34); its values are `struct bpf_insn_array_value`.
    let array = try makeMap(bpf_map_type(34), valueSize: 16)
    var key: Int32 = 0
    var value = [UInt32(target), 0, 0, 0]
    try expectEqual(bpf_map_update_elem(array.number, &key, &value, 0), 0, "result of the update of an instruction array")
    try expectEqual(bpf_map_freeze(array.number), 0, "result of freezing an instruction array")
    return array
}

/// A map that only programs of one hash may use (`excl_prog_hash`), which libbpf 1.1 cannot make.
func makeExclusiveMap(_ hash: [UInt8]) throws -> OwnedDescriptor {
    // `union bpf_attr` of BPF_MAP_CREATE in include/uapi/linux/bpf.h: type, sizes, entries, name, and behind these the hash.
    var attributes = [UInt8](repeating: 0, count: 128)
    func put<Value: FixedWidthInteger>(_ value: Value, at offset: Int) {
        withUnsafeBytes(of: value.littleEndian) { attributes.replaceSubrange(offset..<offset + $0.count, with: $0) }
    }
    put(BPF_MAP_TYPE_ARRAY.rawValue, at: 0)
    put(UInt32(4), at: 4)
    put(UInt32(8), at: 8)
    put(UInt32(1), at: 12)
    attributes.replaceSubrange(28..<32, with: Array("made".utf8))
    return try hash.withUnsafeBytes { hash in
        put(UInt64(UInt(bitPattern: hash.baseAddress)), at: 80)
        put(UInt32(hash.count), at: 88)
        let number = attributes.withUnsafeMutableBytes { clibbpf_bpf(CInt(BPF_MAP_CREATE.rawValue), $0.baseAddress, UInt32($0.count)) }
        return try OwnedDescriptor(CInt(number), "exclusive map")
    }
}

/// The id of a map that was made by hand.
func mapID(_ map: OwnedDescriptor) throws -> UInt32 {
    var info = bpf_map_info()
    var size = UInt32(MemoryLayout<bpf_map_info>.size)
    try expect(bpf_obj_get_info_by_fd(map.number, &info, &size) == 0, "no information on the map")
    return info.id
}
