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

    /// A provider of one function, `int NAME(void)` or `int NAME(void *ctx)` with a context of the provider's type.
    static func exporting(
        _ name: String, type: bpf_prog_type = BPF_PROG_TYPE_SOCKET_FILTER, attachType: UInt32 = 0, flags: UInt32 = 0,
        takesContext: Bool = false, slots: [any SlotContent] = [], _ body: [bpf_insn]
    ) throws -> Provider {
        var program = try RawProgram.library(type: type)
        let types = try require(program.types, "types")
        program.attachType = attachType
        program.flags |= flags
        program.slots = slots
        try program.add(name, taking: takesContext ? [try types.pointer(to: 0)] : [], body)
        if takesContext { try types.tag("ctx", function: program.functions[1].type, parameter: 0) }
        return try Provider(try program.load())
    }

    /// A program of a kind that calls `int NAME(void)`, or `int NAME(void *ctx)` with its own context, and returns what
    /// programs of the kind may return.
    static func importer(
        of name: String = "answer", from provider: any SlotContent, kind: ProgramKind, takesContext: Bool = false
    ) throws -> RawProgram {
        var program = try RawProgram.typed(type: kind.type)
        let parameters = takesContext ? [try require(program.types, "types").pointer(to: 0)] : []
        program.instructions = [.call(import: try program.extern(name, parameters))] + kind.ending
        program.slots = [provider]
        program.attachType = kind.attachType
        program.attachTypeID = try kind.attachTypeID()
        program.flags = kind.flags
        return program
    }

    /// A program of a kind that calls `int NAME(void *ctx)` with its own context and leaves the result in a map's element.
    static func recorder(
        of name: String, from provider: any SlotContent, in map: OwnedDescriptor, kind: ProgramKind, takesContext: Bool = true
    ) throws -> RawProgram {
        var program = try importer(of: name, from: provider, kind: kind, takesContext: takesContext)
        program.instructions.insert(
            contentsOf: bpf_insn.mapValue(1, descriptor: map.number) + [.store(1, 0, register: 0)], at: 1)
        return program
    }

    /// A provider of `int NAME(void)`, which calls a function like that of another provider.
    static func passing(
        _ callee: String, of provider: Provider, as name: String, type: bpf_prog_type = BPF_PROG_TYPE_SOCKET_FILTER
    ) throws -> Provider {
        var program = try RawProgram.library(type: type)
        let function = try program.extern(callee)
        program.slots = [provider]
        try program.add(name, [.call(import: function), .exit])
        return try Provider(try program.load())
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
