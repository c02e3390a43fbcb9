// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf

/// Why a comparison cannot be made.
public struct ComparisonFailure: Error, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// What the kernel has of a program: all that has to be the same whoever loads an object. Ids and addresses are not among it,
/// for they differ from load to load.
public struct ProgramFacts: Sendable {
    public let name: String
    /// What is told in one word or number, by name.
    private let values: [String: String]
    /// The tables that the kernel keeps, as bytes, by name.
    private let tables: [String: [UInt8]]
    /// The names of the program's maps, in the kernel's order.
    private let maps: [String]
    /// Instructions after the verifier's rewrites; instead of a map's id there is its place among ``maps``.
    private let instructions: [bpf_insn]

    /// Reads what the kernel has of the program that a descriptor names.
    public init(program: CInt) throws {
        let info = try Self.info(program, bpf_prog_info())
        name = Self.name(in: info)
        values = [
            "type": "\(info.type)", "tag": "\(withUnsafeBytes(of: info.tag, Array.init))", "user": "\(info.created_by_uid)",
            "gpl_compatible": "\(info.gpl_compatible)", "ifindex": "\(info.ifindex)",
            "verified_insns": "\(info.verified_insns)", "attach_btf_id": "\(info.attach_btf_id)",
            "attach_btf_obj_id": "\(info.attach_btf_obj_id)", "jited_prog_len": "\(info.jited_prog_len)",
            "nr_map_ids": "\(info.nr_map_ids)", "nr_func_info": "\(info.nr_func_info)", "nr_line_info": "\(info.nr_line_info)",
        ]
        tables = [
            "func_info": try Self.array(program, info.nr_func_info, of: info.func_info_rec_size) { request, count, address in
                request.nr_func_info = count
                request.func_info_rec_size = info.func_info_rec_size
                request.func_info = address
            },
            "line_info": try Self.array(program, info.nr_line_info, of: info.line_info_rec_size) { request, count, address in
                request.nr_line_info = count
                request.line_info_rec_size = info.line_info_rec_size
                request.line_info = address
            },
            "jited_func_lens": try Self.array(program, info.nr_jited_func_lens, of: 4) { request, count, address in
                request.nr_jited_func_lens = count
                request.jited_func_lens = address
            },
            "BTF": info.btf_id == 0 ? [] : try Self.types(info.btf_id),
        ]
        let ids = try Self.array(program, info.nr_map_ids, of: 4) { request, count, address in
            request.nr_map_ids = count
            request.map_ids = address
        }.withUnsafeBytes { Array($0.bindMemory(to: UInt32.self)) }
        maps = try ids.map { try MapFacts.name(ofMap: $0) }
        let code = try Self.array(program, info.xlated_prog_len, of: 1) { request, count, address in
            request.xlated_prog_len = count
            request.xlated_prog_insns = address
        }
        instructions = try Self.normalized(code.withUnsafeBytes { Array($0.bindMemory(to: bpf_insn.self)) }, maps: ids, name)
    }

    /// How this load of the program differs from another, one line per difference.
    ///
    /// - Parameter unstable: instructions whose immediates differ between two loads by one loader, too.
    public func differences(from other: ProgramFacts, unstable: Set<Int>) -> [String] {
        var lines = name == other.name ? [] : ["the name, which is \(other.name)"]
        for (key, value) in values.sorted(by: { $0.key < $1.key }) where other.values[key] != value {
            lines.append("\(key): \(value) and \(other.values[key] ?? "nothing")")
        }
        for (key, table) in tables.sorted(by: { $0.key < $1.key }) where other.tables[key] != table {
            lines.append("\(key): \(table.count) bytes and \(other.tables[key]?.count ?? 0) that differ")
        }
        if maps != other.maps { lines.append("maps: \(maps) and \(other.maps)") }
        if instructions.count != other.instructions.count {
            lines.append("instructions: \(instructions.count) and \(other.instructions.count)")
        }
        for (index, (mine, theirs)) in zip(instructions, other.instructions).enumerated()
        where !mine.hasOperation(of: theirs) || (mine.imm != theirs.imm && !unstable.contains(index)) {
            lines.append("instruction \(index): \(mine) and \(theirs)")
        }
        return lines.map { "program \(name): \($0)" }
    }

    /// The instructions whose immediates differ between two loads of the program by one loader: they hold addresses of kernel
    /// memory that is the program's own.
    public func unstableImmediates(comparedTo other: ProgramFacts) -> Set<Int> {
        var unstable: Set<Int> = []
        for (index, (mine, theirs)) in zip(instructions, other.instructions).enumerated()
        where mine.imm != theirs.imm && mine.hasOperation(of: theirs) {
            // An address fills two instructions, of which the first has the code.
            let start = mine.code == 0 ? index - 1 : index
            unstable.formUnion(instructions[start].code == UInt8(BPF_LD | BPF_IMM | BPF_DW) ? [start, start + 1] : [index])
        }
        return unstable
    }

    // MARK: Reading

    static func name(in info: bpf_prog_info) -> String {
        withUnsafeBytes(of: info.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }

    static func info(_ program: CInt, _ request: bpf_prog_info) throws -> bpf_prog_info {
        var info = request
        var size = UInt32(MemoryLayout<bpf_prog_info>.size)
        let result = bpf_obj_get_info_by_fd(program, &info, &size)
        guard result == 0 else { throw ComparisonFailure("BPF_OBJ_GET_INFO_BY_FD of a program: errno \(-result)") }
        return info
    }

    /// Reads one of the arrays that `bpf_prog_info` points to.
    private static func array(
        _ program: CInt, _ count: UInt32, of size: UInt32, request: (inout bpf_prog_info, UInt32, UInt64) -> Void
    ) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(count * size))
        try bytes.withUnsafeMutableBytes { bytes in
            var wanted = bpf_prog_info()
            request(&wanted, count, UInt64(UInt(bitPattern: bytes.baseAddress)))
            _ = try info(program, wanted)
        }
        return bytes
    }

    private static func types(_ id: UInt32) throws -> [UInt8] {
        guard let btf = btf__load_from_kernel_by_id(id) else { throw ComparisonFailure("BTF \(id) cannot be read") }
        defer { btf__free(btf) }
        var size: UInt32 = 0
        guard let data = btf__raw_data(btf, &size) else { throw ComparisonFailure("BTF \(id) has no bytes") }
        return Array(UnsafeRawBufferPointer(start: data, count: Int(size)))
    }

    /// `bpf_insn_prepare_dump()` in kernel/bpf/syscall.c shows maps by their ids.
    private static func normalized(_ code: [bpf_insn], maps: [UInt32], _ name: String) throws -> [bpf_insn] {
        var code = code
        for index in code.indices where code[index].code == UInt8(BPF_LD | BPF_IMM | BPF_DW) {
            guard [UInt8(BPF_PSEUDO_MAP_FD), UInt8(BPF_PSEUDO_MAP_VALUE)].contains(code[index].src_reg) else { continue }
            let id = UInt32(bitPattern: code[index].imm)
            guard let place = maps.firstIndex(of: id) else {
                throw ComparisonFailure("instruction \(index) of \(name) refers to map \(id), which is none of the program's")
            }
            code[index].imm = Int32(place)
        }
        return code
    }
}

extension bpf_insn {
    /// Whether all but the immediates agree.
    fileprivate func hasOperation(of other: bpf_insn) -> Bool {
        code == other.code && dst_reg == other.dst_reg && src_reg == other.src_reg && off == other.off
    }
}
