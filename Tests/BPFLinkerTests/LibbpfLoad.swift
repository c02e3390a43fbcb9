// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFObject
import CLibbpf
import Glibc

/// A library loaded into the running kernel by libbpf alone, and what libbpf handed to the kernel.
///
/// No kernel of a distribution exports subprograms; it takes a library's entry program, with all it refers to, if the functions
/// are static, so libbpf is told that they are hidden. The kernel then drops them again, for nobody calls them.
///
/// To be used in a process of its own (an exit test): libbpf's table of handlers has no lock, and libbpf before 1.3 damages it
/// when the last handler goes.
final class LibbpfLoad {
    /// What libbpf prepared for `BPF_PROG_LOAD`.
    struct Prepared {
        /// Of every instruction, relocated.
        var immediates: [Int32] = []
        var functionCount = 0
        var lineCount = 0
    }

    /// A section name that libbpf does not know, so that the observer's handler is the only one.
    static let section = "bpflink_test"

    private(set) var prepared = Prepared()

    init(_ bytes: [UInt8], hiding exports: [Export]) throws {
        let hidden = try Self.hide(exports, in: bytes)
        try withUnsafeMutablePointer(to: &prepared) { prepared in
            var options = libbpf_prog_handler_opts()
            options.sz = MemoryLayout<libbpf_prog_handler_opts>.size
            options.cookie = Int(bitPattern: prepared)
            options.prog_prepare_load_fn = { program, load, cookie in
                guard let prepared = UnsafeMutablePointer<Prepared>(bitPattern: cookie), let load else { return -EINVAL }
                let instructions = UnsafeBufferPointer(
                    start: bpf_program__insns(program), count: bpf_program__insn_cnt(program))
                prepared.pointee = Prepared(
                    immediates: instructions.map(\.imm), functionCount: Int(load.pointee.func_info_cnt),
                    lineCount: Int(load.pointee.line_info_cnt))
                return 0
            }
            guard
                libbpf_register_prog_handler(
                    Self.section, BPF_PROG_TYPE_SOCKET_FILTER, bpf_attach_type(rawValue: 0), &options) > 0
            else { throw OpenObject.Failure(description: "libbpf takes no handler: errno \(errno)") }
            let object = try OpenObject(hidden)
            try object.load()
        }
    }

    /// Marks the symbols of functions as hidden.
    private static func hide(_ exports: [Export], in bytes: [UInt8]) throws -> [UInt8] {
        var bytes = bytes
        let object = try Object(bytes: bytes, name: "rewritten")
        let table = try object.sections.first { $0.type == 2 }.unwrap("symbol table")
        for export in exports {
            let symbol = try object.symbols.first { $0.name == export.name }.unwrap(export.name)
            bytes[table.offset.value + symbol.index.value * 24 + 5] = Symbol.Visibility.hidden.rawValue
        }
        return bytes
    }
}

extension Optional {
    func unwrap(_ what: String) throws -> Wrapped {
        guard let self else { throw OpenObject.Failure(description: "no \(what)") }
        return self
    }
}
