// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf

/// Providers and importers made by hand, as small as can be.
enum Raw {
    /// A provider of `int answer(void)`.
    static func answering(_ value: Int32 = 42, type: bpf_prog_type = BPF_PROG_TYPE_SOCKET_FILTER) throws -> Provider {
        var program = try RawProgram.library(type: type)
        try program.add("answer", [.set(0, value), .exit])
        return try Provider(try program.load())
    }

    /// A program that calls `int NAME(void)` of a provider and returns what it returns.
    static func importer(
        of name: String = "answer", from provider: any SlotContent, type: bpf_prog_type = BPF_PROG_TYPE_SOCKET_FILTER
    ) throws -> RawProgram {
        var program = try RawProgram.typed(type: type)
        program.instructions = [.call(import: try program.extern(name)), .exit]
        program.slots = [provider]
        return program
    }

    /// A program with a function of memory.bpf.c at hand.
    ///
    /// - Parameter body: makes the instructions; it gets what calls carry as immediate.
    static func memoryImporter(
        of name: String, _ body: (Int32) throws -> [bpf_insn]
    ) throws -> RawProgram {
        let provider = try library("memory")
        var program = try RawProgram.typed()
        let types = try require(program.types, "types")
        let pair = try types.pointer(to: try types.structure("pair", members: ["a", "b"]))
        let long = try types.pointer(to: types.long)
        let function: Int32 =
            switch name {
            case "mem_add": try program.extern(name, [long, types.int], returns: 0)
            default: try program.extern(name, [pair])
            }
        program.instructions = try body(function)
        program.slots = [provider]
        return program
    }
}
