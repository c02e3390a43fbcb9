// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Glibc

/// A map that bpflink binds to a program (BPF_PROG_BIND_MAP) to say something of it: an array with one value, which programs may
/// only read and which is frozen, so nobody can change it any more. Whoever has the program finds it.
enum FrozenMap {
    /// Makes a map of one value.
    static func make(_ name: String, _ bytes: [UInt8]) throws(CallFailure) -> AnyDescriptor {
        var bytes = bytes
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

    /// Reads the value of a map.
    ///
    /// - Returns: nil if the map has none of the names, or is not of this form.
    /// - Throws: ``KernelError`` if it cannot be read.
    static func read(_ id: UInt32, named names: Set<String>) throws(KernelError) -> (name: String, bytes: [UInt8])? {
        do throws(CallFailure) {
            let map = AnyDescriptor(owning: try libbpfCall { bpf_map_get_fd_by_id(id) })
            let info = try information(on: map.number)
            let name = mapName(of: info)
            guard names.contains(name), info.type == BPF_MAP_TYPE_ARRAY.rawValue, info.max_entries == 1 else { return nil }
            guard try isFrozen(map.number) else { return nil }
            var value = [UInt8](repeating: 0, count: Int(info.value_size))
            var key: UInt32 = 0
            let number = map.number
            try libbpfCall { bpf_map_lookup_elem(number, &key, &value) }
            return (name, value)
        } catch {
            throw KernelError(.system, "map \(id), which may hold what bpflink says of a program, cannot be read", error)
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
