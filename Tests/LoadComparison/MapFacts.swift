// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Glibc

/// What the kernel has of a map, its contents included where they are in an array.
public struct MapFacts: Sendable, Equatable {
    public let name: String
    private let values: [String: String]
    /// What is in an array, element by element: bytes, names of maps, or names and tags of programs.
    private let contents: [String]

    /// Reads what the kernel has of the map that a descriptor names.
    public init(map: CInt) throws {
        let info = try Self.info(map)
        name = Self.name(in: info)
        values = [
            "type": "\(info.type)", "key_size": "\(info.key_size)", "value_size": "\(info.value_size)",
            "max_entries": "\(info.max_entries)", "map_flags": "\(info.map_flags)", "map_extra": "\(info.map_extra)",
            "ifindex": "\(info.ifindex)", "btf_key_type_id": "\(info.btf_key_type_id)",
            "btf_value_type_id": "\(info.btf_value_type_id)", "has BTF": "\(info.btf_id != 0)",
            "btf_vmlinux_value_type_id": "\(info.btf_vmlinux_value_type_id)", "is frozen": "\(try Self.isFrozen(map))",
        ]
        contents = Self.contents(of: map, info)
    }

    /// How this map differs from another, one line per difference.
    public func differences(from other: MapFacts) -> [String] {
        var lines = name == other.name ? [] : ["the name, which is \(other.name)"]
        for (key, value) in values.sorted(by: { $0.key < $1.key }) where other.values[key] != value {
            lines.append("\(key): \(value) and \(other.values[key] ?? "nothing")")
        }
        if contents != other.contents { lines.append("contents: \(contents) and \(other.contents)") }
        return lines.map { "map \(name): \($0)" }
    }

    // MARK: Reading

    static func name(ofMap id: UInt32) throws -> String {
        let map = bpf_map_get_fd_by_id(id)
        guard map >= 0 else { throw ComparisonFailure("map \(id) cannot be opened: errno \(-map)") }
        defer { close(map) }
        return name(in: try info(map))
    }

    private static func program(_ id: UInt32) throws -> String {
        let program = bpf_prog_get_fd_by_id(id)
        guard program >= 0 else { throw ComparisonFailure("program \(id) cannot be opened: errno \(-program)") }
        defer { close(program) }
        let info = try ProgramFacts.info(program, bpf_prog_info())
        return "\(ProgramFacts.name(in: info)) \(withUnsafeBytes(of: info.tag, Array.init))"
    }

    private static func name(in info: bpf_map_info) -> String {
        withUnsafeBytes(of: info.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    private static func info(_ map: CInt) throws -> bpf_map_info {
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        let result = bpf_obj_get_info_by_fd(map, &info, &size)
        guard result == 0 else { throw ComparisonFailure("BPF_OBJ_GET_INFO_BY_FD of a map: errno \(-result)") }
        return info
    }

    /// `bpf_map_show_fdinfo()` in kernel/bpf/syscall.c; nothing else tells.
    private static func isFrozen(_ map: CInt) throws -> Bool {
        guard let file = fopen("/proc/self/fdinfo/\(map)", "r") else { throw ComparisonFailure("no fdinfo of a map") }
        defer { fclose(file) }
        var text: [UInt8] = []
        while case let byte = getc(file), byte != EOF { text.append(UInt8(truncatingIfNeeded: byte)) }
        return String(decoding: text, as: UTF8.self).split(separator: "\n").contains("frozen:\t1")
    }

    private static func contents(of map: CInt, _ info: bpf_map_info) -> [String] {
        switch bpf_map_type(info.type) {
        case BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_STRUCT_OPS, BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_PROG_ARRAY: break
        default: return []
        }
        return (0..<info.max_entries).map { index in
            var key = index
            var value = [UInt8](repeating: 0, count: Int(max(info.value_size, 4)))
            let result = bpf_map_lookup_elem(map, &key, &value)
            if result != 0 { return "errno \(-result)" }
            let id = value.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }
            switch bpf_map_type(info.type) {
            case BPF_MAP_TYPE_ARRAY_OF_MAPS: return (try? name(ofMap: id)) ?? "a map that cannot be opened"
            case BPF_MAP_TYPE_PROG_ARRAY: return (try? program(id)) ?? "a program that cannot be opened"
            default: return "\(value)"
            }
        }
    }
}
