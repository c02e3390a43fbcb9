// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFLinker
import BPFObject
import CLibbpf
import Glibc
import SystemPackage

/// The map in which a provider carries its object: an array with one value, the encoded ``CarriedObject``, which programs may
/// only read and which is frozen, so nobody can change it any more.
///
/// It is bound to the provider (BPF_PROG_BIND_MAP), with all maps that the object's functions use: whoever has the provider
/// finds them, and as long as the provider lives, so do they.
enum ObjectMap {
    /// The map's name in the kernel.
    static let name = "bpflink_object"

    /// Makes the map that holds an object.
    static func make(_ object: CarriedObject) throws(CallFailure) -> AnyDescriptor {
        var bytes = object.encoded
        var options = bpf_map_create_opts()
        clearOptions(&options)
        options.sz = MemoryLayout<bpf_map_create_opts>.size
        options.map_flags = UInt32(BPF_F_RDONLY_PROG)
        let size = UInt32(bytes.count)
        let map = AnyDescriptor(
            owning: try libbpfCall { bpf_map_create(BPF_MAP_TYPE_ARRAY, name, 4, size, 1, &options) })
        let number = map.number
        var key: UInt32 = 0
        try libbpfCall { bpf_map_update_elem(number, &key, &bytes, 0) }
        try libbpfCall { bpf_map_freeze(number) }
        return map
    }

    /// Reads an object from a map.
    ///
    /// - Returns: nil if the map is not one that holds an object.
    /// - Throws: ``KernelError`` if it is one, and what is in it cannot be read or was not written by bpflink.
    static func read(_ id: UInt32) throws(KernelError) -> CarriedObject? {
        let bytes: [UInt8]
        do throws(CallFailure) {
            let map = AnyDescriptor(owning: try libbpfCall { bpf_map_get_fd_by_id(id) })
            let info = try information(on: map.number)
            guard mapName(of: info) == name, info.type == BPF_MAP_TYPE_ARRAY.rawValue, info.max_entries == 1 else { return nil }
            guard try isFrozen(map.number) else { return nil }
            var value = [UInt8](repeating: 0, count: Int(info.value_size))
            var key: UInt32 = 0
            let number = map.number
            try libbpfCall { bpf_map_lookup_elem(number, &key, &value) }
            bytes = value
        } catch {
            throw KernelError(.system, "map \(id), which may hold a provider's object, cannot be read", error)
        }
        do throws(ObjectError) {
            return try CarriedObject(encoded: bytes, what: "map \(id)")
        } catch {
            throw KernelError(
                .notAProvider, "the object in map \(id) cannot be used: \(error)",
                notes: ["bpflink writes such maps for providers that it loads; another version or another program wrote this one"])
        }
    }

    static func information(on map: CInt) throws(CallFailure) -> bpf_map_info {
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        try libbpfCall { bpf_obj_get_info_by_fd(map, &info, &size) }
        return info
    }

    private static func mapName(of info: bpf_map_info) -> String {
        withUnsafeBytes(of: info.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    /// Only fdinfo tells (`bpf_map_show_fdinfo()` in kernel/bpf/syscall.c).
    private static func isFrozen(_ map: CInt) throws(CallFailure) -> Bool {
        let file = AnyDescriptor(owning: try systemCall { open("/proc/self/fdinfo/\(map)", O_RDONLY | O_CLOEXEC) })
        return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
            let length = Glibc.read(file.number, buffer.baseAddress!, buffer.count)
            let text = String(decoding: UnsafeRawBufferPointer(buffer).prefix(max(0, length)), as: UTF8.self)
            return text.split(separator: "\n").contains { $0.hasPrefix("frozen:") && $0.hasSuffix("1") }
        }
    }
}

extension OpenProgram {
    /// What the program carries to be copied from; nil if it carries nothing.
    ///
    /// - Throws: ``KernelError`` if it carries what cannot be used.
    public func carried() throws(KernelError) -> Carried? {
        var objects: [UInt32: CarriedObject] = [:]
        for id in info.mapIDs { objects[id] = try ObjectMap.read(id) }
        if objects.isEmpty { return nil }
        let name = "program \(info.id) (\(info.name))"
        // The maps that the objects state must be the program's own: bytes alone shall give no way to any other map.
        let own = Set(info.mapIDs)
        for (id, object) in objects {
            let foreign = Set(object.maps.values).union(object.imports.values).subtracting(own)
            guard foreign.isEmpty else {
                throw KernelError(
                    .notAProvider, "the object in map \(id) states map \(foreign.min() ?? 0), which is none of \(name)")
            }
        }
        // Its own is the one that no other imports from.
        let imported = objects.values.reduce(into: Set<UInt32>()) { $0.formUnion($1.imports.values) }
        let roots = objects.keys.filter { !imported.contains($0) }
        guard let root = roots.first, roots.count == 1 else {
            throw KernelError(.notAProvider, "\(name) carries \(objects.count) objects, of which \(roots.count) can be its own")
        }
        do throws(CarriedError) {
            return try Carried(root: root, objects: objects)
        } catch {
            throw KernelError(.notAProvider, "the objects that \(name) carries do not fit together: \(error)")
        }
    }
}
