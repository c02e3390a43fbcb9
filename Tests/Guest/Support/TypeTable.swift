// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Glibc

/// Type information made by hand, for programs that no compiler would make.
final class TypeTable {
    private let table: OpaquePointer
    /// `int`
    let int: UInt32
    /// `long`
    let long: UInt32

    /// - Parameter leading: declarations of `int NAME(void)` with the ids from 1 on.
    init(leading name: String = "", count: UInt32 = 0) throws {
        guard let table = btf__new_empty() else { throw Failure("btf__new_empty: \(String(cString: strerror(errno)))") }
        self.table = table
        if count > 0 {
            // All have the prototype behind the last, which returns the `int` behind it.
            for _ in 0..<count {
                guard btf__add_func(table, name, BTF_FUNC_EXTERN, CInt(count) + 1) > 0 else {
                    throw Failure("extern \(name)")
                }
            }
            guard btf__add_func_proto(table, CInt(count) + 2) > 0 else { throw Failure("prototype of \(name)") }
        }
        int = UInt32(btf__add_int(table, "int", 4, CInt(BTF_INT_SIGNED)))
        long = UInt32(btf__add_int(table, "long", 8, CInt(BTF_INT_SIGNED)))
    }

    deinit { btf__free(table) }

    /// `unsigned long`, as the compiler calls it.
    func unsignedLong() throws -> UInt32 { try added(btf__add_int(table, "unsigned long", 8, 0), "unsigned long") }

    func pointer(to type: UInt32) throws -> UInt32 { try added(btf__add_ptr(table, CInt(type)), "pointer") }

    /// A struct of longs.
    func structure(_ name: String, members: [String]) throws -> UInt32 {
        let id = try added(btf__add_struct(table, name, UInt32(members.count) * 8), name)
        for (index, member) in members.enumerated() {
            guard btf__add_field(table, member, CInt(long), UInt32(index) * 64, 0) == 0 else {
                throw Failure("member \(member) of \(name)")
            }
        }
        return id
    }

    /// A struct that is declared and nothing more.
    func incomplete(_ name: String) throws -> UInt32 { try added(btf__add_fwd(table, name, BTF_FWD_STRUCT), name) }

    func array(of type: UInt32, count: UInt32) throws -> UInt32 {
        try added(btf__add_array(table, CInt(int), CInt(type), count), "array")
    }

    /// A function; parameters of an extern one have no names, as the compiler leaves them.
    ///
    /// - Parameter returns: the type of the result; 0 is `void`.
    func function(
        _ name: String, _ parameters: [UInt32], returns: UInt32, linkage: btf_func_linkage = BTF_FUNC_GLOBAL
    ) throws -> UInt32 {
        let prototype = try added(btf__add_func_proto(table, CInt(returns)), "prototype")
        for (index, type) in parameters.enumerated() {
            let parameter = linkage == BTF_FUNC_EXTERN ? nil : "p\(index)"
            guard btf__add_func_param(table, parameter, CInt(type)) == 0 else { throw Failure("parameter of \(name)") }
        }
        return try added(btf__add_func(table, name, linkage, CInt(prototype)), name)
    }

    /// Tags a parameter of a function: `nonnull`, `nullable`, …
    func tag(_ tag: String, function: UInt32, parameter: CInt) throws {
        _ = try added(btf__add_decl_tag(table, "arg:\(tag)", CInt(function), parameter), tag)
    }

    /// Tags a declaration as a whole.
    func tag(_ tag: String, declaration: UInt32) throws {
        _ = try added(btf__add_decl_tag(table, tag, CInt(declaration), -1), tag)
    }

    /// Gives the table to the kernel.
    func load() throws -> OwnedDescriptor {
        var size: UInt32 = 0
        guard let data = btf__raw_data(table, &size) else { throw Failure("btf__raw_data") }
        var log = [CChar](repeating: 0, count: 65_536)
        let number = log.withUnsafeMutableBufferPointer { log in
            var options = bpf_btf_load_opts()
            options.sz = MemoryLayout<bpf_btf_load_opts>.size
            options.log_buf = log.baseAddress
            options.log_size = UInt32(log.count)
            options.log_level = 1
            return bpf_btf_load(data, Int(size), &options)
        }
        guard number >= 0 else {
            let words = String(decoding: log.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw RawProgram.Refusal(error: -number, log: words)
        }
        return try OwnedDescriptor(number, "BTF")
    }

    private func added(_ id: CInt, _ what: String) throws -> UInt32 {
        guard id >= 0 else { throw Failure("type information for \(what): \(String(cString: strerror(-id)))") }
        return UInt32(id)
    }
}
