// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CLibbpf

/// Arguments that would have the callee, which was verified on its own, read or write what it must not.
let hostileArgumentCases: [Case] = [
    memory("arguments.refuse.number_as_pointer", "mem_fill", "Caller passes invalid args into mem_fill() of prog") {
        [.set(1, 0x1234), .call(import: $0), .exit]
    },
    memory("arguments.refuse.context_as_memory", "mem_fill", "Caller passes invalid args into mem_fill() of prog") {
        [.call(import: $0), .exit]
    },
    memory("arguments.refuse.stack_too_small", "mem_fill", "Caller passes invalid args into mem_fill() of prog", "size=16") {
        [.store(10, -8, value: 0), .copy(1, 10), .add(1, -8), .call(import: $0), .exit]
    },
    memory("arguments.refuse.stack_out_of_frame", "mem_fill", "Caller passes invalid args into mem_fill() of prog") {
        [.copy(1, 10), .add(1, -600), .call(import: $0), .exit]
    },
    memory("arguments.refuse.null_for_nonnull", "mem_swap", "is expected to be non-NULL", "mem_swap() of prog") {
        [.set(1, 0), .call(import: $0), .exit]
    },
    memory("arguments.refuse.pointer_as_number", "mem_add", "is not a scalar", "mem_add() of prog") {
        [.set(1, 0), .copy(2, 10), .call(import: $0), .set(0, 0), .exit]
    },
    memory("arguments.refuse.no_value", "mem_add", "R2 is not a scalar") {
        [.set(1, 0), .call(import: $0), .set(0, 0), .exit]
    },
    memory("arguments.refuse.result_of_void", "mem_add", "R0 !read_ok") {
        [.set(1, 0), .set(2, 0), .call(import: $0), .exit]
    },
    memory("arguments.refuse.register_kept_across_the_call", "mem_add", "R1 !read_ok") {
        [.set(1, 0), .set(2, 0), .call(import: $0), .copy(0, 1), .exit]
    },
    // The first path that the verifier walks passes NULL; the other must not be taken for the same.
    memory("arguments.refuse.number_on_another_path_than_null", "mem_fill", "Caller passes invalid args into mem_fill()") {
        [
            .helper(BPF_FUNC_get_prandom_u32), .set(1, 0x4141_4141), .jump(if: 0, equals: 0, 1), .set(1, 0),
            .call(import: $0), .exit,
        ]
    },
    // The callee may have overwritten the pointer that lay there.
    memory("arguments.refuse.use_of_a_pointer_left_in_passed_memory", "mem_fill", "R2 invalid mem access 'scalar'") {
        [
            .store(10, -16, register: 10), .store(10, -8, value: 0), .copy(1, 10), .add(1, -16), .call(import: $0),
            .load(2, 10, -16), .load(0, 2, -8), .exit,
        ]
    },
    // The same, kept in a register: that one is the importer's own.
    Case("arguments.pointer_kept_in_a_register") {
        let program = try Raw.memoryImporter(of: "mem_fill") {
            [
                .copy(6, 10), .store(10, -16, value: 0), .store(10, -8, value: 0), .copy(1, 10), .add(1, -16),
                .call(import: $0), .load(0, 6, -16), .load(1, 6, -8), .sum(0, 1), .exit,
            ]
        }
        try expectEqual(try program.load().run(), 33, "what the callee stored")
    },
    Case("arguments.unwritten_stack_that_the_callee_fills") {
        let program = try Raw.memoryImporter(of: "mem_fill") {
            [.copy(1, 10), .add(1, -16), .call(import: $0), .load(0, 10, -16), .load(1, 10, -8), .sum(0, 1), .exit]
        }
        try expectEqual(try program.load().run(), 33, "what the callee stored")
    },
    // A branch that a verifier would cut off if it believed that the slot still holds what the importer put there.
    Case("arguments.constant_that_the_callee_overwrites") {
        let program = try Raw.memoryImporter(of: "mem_fill") {
            [
                .store(10, -16, value: 1), .store(10, -8, value: 2), .copy(1, 10), .add(1, -16), .call(import: $0),
                .load(1, 10, -16), .set(0, 100), .jump(if: 1, equals: 1, 1), .copy(0, 1), .exit,
            ]
        }
        try expectEqual(try program.load().run(), 11, "what the callee stored")
    },
    // Bounds that are needed behind the call are found in a saved register and in a slot that is not passed.
    Case("arguments.bounds_known_across_the_call") {
        let map = try makeMap(valueSize: 16)
        let program = try Raw.memoryImporter(of: "mem_fill") {
            [
                .helper(BPF_FUNC_get_prandom_u32), .and(0, 7), .copy(6, 0), .store(10, -24, register: 0),
                .copy(1, 10), .add(1, -16), .call(import: $0),
            ] + bpf_insn.mapValue(1, descriptor: map.number)
                + [.load(2, 10, -24), .sum(1, 2), .sum(1, 6), .load8(0, 1, 0), .add(0, 4), .exit]
        }
        try expectEqual(try withExtendedLifetime(map) { try program.load() }.run(), 4, "a byte of the map and 4")
    },
    // Before the call the importer reads the slots on no path, so that states may be merged where they differ.
    Case("arguments.stack_that_only_the_callee_reads") {
        let program = try Raw.memoryImporter(of: "mem_swap") {
            [
                .helper(BPF_FUNC_get_prandom_u32), .set(7, 4), .store(10, -16, value: 40), .store(10, -8, value: 2),
                .jump(if: 0, equals: 0, 2), .store(10, -16, value: 41), .store(10, -8, value: 3),
                .copy(1, 10), .add(1, -16), .call(import: $0), .add(7, -1), .jump(if: 7, equals: 0, 1),
                .jump(-6), .load(0, 10, -16), .load(1, 10, -8), .sum(0, 1), .exit,
            ]
        }
        var compared = program
        compared.flags = UInt32(BPF_F_TEST_STATE_FREQ)
        _ = try compared.load()
        let sum = try program.load().run()
        try expect([42, 44].contains(sum), "sum of the swapped slots: expected 42 or 44, is \(sum)")
    },
    // A path that leaves the slots as they were found: they hold whatever the last user of the stack left there.
    Case("arguments.unwritten_stack_without_perfmon") {
        var library = try RawProgram.library()
        let types = try require(library.types, "types")
        let pair = try types.pointer(to: try types.structure("pair", members: ["a", "b"]))
        try library.add("touch", taking: [pair], [.set(0, 0), .jump(if: 1, equals: 0, 1), .load(0, 1, 8), .exit])
        let provider = try withCapabilities(.bpfOnly) { try library.load() }
        var program = try RawProgram.typed()
        let own = try require(program.types, "types")
        let touch = try program.extern(
            "touch", [try own.pointer(to: try own.structure("pair", members: ["a", "b"]))])
        program.slots = [provider]
        let stores: [bpf_insn] = [.store(10, -16, value: 1), .store(10, -8, value: 2)]
        let call: [bpf_insn] = [.copy(1, 10), .add(1, -16), .call(import: touch), .exit]
        program.instructions = stores + call
        try expectEqual(try withCapabilities(.bpfOnly) { try program.load() }.run(), 2, "what was written")
        program.instructions = [.helper(BPF_FUNC_get_prandom_u32), .jump(if: 0, equals: 0, 2)] + stores + call
        program.flags = UInt32(BPF_F_TEST_STATE_FREQ)
        try withCapabilities(.bpfOnly) {
            try expectRefusal("Caller passes invalid args into touch() of prog", "invalid read from stack") {
                _ = try program.load()
            }
        }
    },
    Case("arguments.refuse.map_value_too_small") {
        let map = try makeMap(valueSize: 16)
        let program = try Raw.memoryImporter(of: "mem_fill") {
            bpf_insn.mapValue(1, descriptor: map.number, offset: 8) + [.call(import: $0), .exit]
        }
        try expectRefusal("invalid access to map value", "Caller passes invalid args into mem_fill() of prog") {
            _ = try withExtendedLifetime(map) { try program.load() }
        }
    },
    Case("arguments.refuse.map_value_at_unknown_place") {
        let map = try makeMap(valueSize: 64)
        let program = try Raw.memoryImporter(of: "mem_fill") {
            [.helper(BPF_FUNC_get_prandom_u32)] + bpf_insn.mapValue(1, descriptor: map.number)
                + [.and(0, 63), .sum(1, 0), .call(import: $0), .exit]
        }
        try expectRefusal(
            "R1 max value is outside of the allowed memory range", "Caller passes invalid args into mem_fill() of prog"
        ) {
            _ = try withExtendedLifetime(map) { try program.load() }
        }
    },
    Case("arguments.refuse.maybe_null_for_nonnull") {
        let map = try makeMap(valueSize: 16)
        let program = try Raw.memoryImporter(of: "mem_swap") {
            [.store(10, -8, value: 0), .copy(2, 10), .add(2, -8)] + bpf_insn.map(1, descriptor: map.number)
                + [.helper(BPF_FUNC_map_lookup_elem), .copy(1, 0), .call(import: $0), .exit]
        }
        try expectRefusal("is expected to be non-NULL") { _ = try withExtendedLifetime(map) { try program.load() } }
    },
    Case("arguments.refuse.memory_that_programs_only_read") {
        let map = try makeMap(valueSize: 16, flags: UInt32(BPF_F_RDONLY_PROG))
        let program = try Raw.memoryImporter(of: "mem_fill") {
            bpf_insn.mapValue(1, descriptor: map.number) + [.call(import: $0), .exit]
        }
        try expectRefusal("write into map forbidden") { _ = try withExtendedLifetime(map) { try program.load() } }
    },
    Case("arguments.refuse.constant_data") {
        try expectRefusal("write into map forbidden") { _ = try load("import_constant", from: [try library("memory")]) }
    },
    Case("arguments.refuse.memory_with_a_lock_in_it") {
        try expectRefusal("bpf_spin_lock cannot be accessed directly", "Caller passes invalid args into mem_fill()") {
            _ = try load("import_over_lock", from: [try library("memory")])
        }
    },
    Case("arguments.refuse.memory_with_a_dynptr_in_it") {
        try expectRefusal("Caller passes invalid args into mem_fill()") {
            _ = try load("import_over_dynptr", from: [try library("memory")])
        }
    },
    Case("arguments.struct_known_by_name_only") {
        let importer = try load("import_incomplete", from: [try library("memory")])
        try expectEqual(try importer.run(), 33, "what the callee stored")
    },
    Case("arguments.refuse.pointer_leak_without_perfmon") {
        var library = try RawProgram.library()
        let types = try require(library.types, "types")
        let pair = try types.pointer(to: try types.structure("pair", members: ["a", "b"]))
        try library.add("touch", taking: [pair], [.set(0, 0), .jump(if: 1, equals: 0, 1), .load(0, 1, 8), .exit])
        let provider = try withCapabilities(.bpfOnly) { try library.load() }
        var program = try RawProgram.typed()
        let own = try require(program.types, "types")
        let touch = try program.extern(
            "touch", [try own.pointer(to: try own.structure("pair", members: ["a", "b"]))])
        program.slots = [provider]
        program.instructions = [
            .store(10, -16, value: 1), .store(10, -8, register: 1), .copy(1, 10), .add(1, -16), .call(import: touch), .exit,
        ]
        try withCapabilities(.bpfOnly) {
            try expectRefusal("Caller passes invalid args into touch() of prog") { _ = try program.load() }
        }
    },
    // Types whose context the verifier does not rewrite: the register could pass for one to plain memory.
    Case("arguments.refuse.traced_context_as_memory") {
        for type in [
            BPF_PROG_TYPE_TRACEPOINT, BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_PROG_TYPE_PERF_EVENT, BPF_PROG_TYPE_KPROBE,
        ] {
            var program = try Raw.memoryImporter(of: "mem_fill") { [.call(import: $0), .exit] }
            program.type = type
            do {
                try expectRefusal("Caller passes invalid args into mem_fill() of prog") { _ = try program.load() }
            } catch { throw Failure("context of program type \(type.rawValue): \(words(of: error))") }
        }
    },
    Case("arguments.result_bounded_by_the_importer") {
        let map = try makeMap(valueSize: 8)
        var program = try Raw.importer(from: try Raw.answering(0x7f00))
        let call = program.instructions[0]
        program.instructions =
            [call, .and(0, 7)] + bpf_insn.mapValue(1, descriptor: map.number)
            + [.sum(1, 0), .load8(0, 1, 0), .add(0, 3), .exit]
        try expectEqual(try withExtendedLifetime(map) { try program.load() }.run(), 3, "a byte of the map and 3")
    },
    // What the callee returns is any number, whatever its body says.
    Case("arguments.refuse.result_taken_for_bounded") {
        let map = try makeMap(valueSize: 8)
        var program = try Raw.importer(from: try Raw.answering(0))
        let call = program.instructions[0]
        program.instructions =
            [call] + bpf_insn.mapValue(1, descriptor: map.number) + [.sum(1, 0), .load(0, 1, 0), .set(0, 0), .exit]
        try expectRefusal("math between map_value pointer and register with unbounded min value") {
            _ = try withExtendedLifetime(map) { try program.load() }
        }
    },
]

/// A call of a function of memory.bpf.c that has to be refused.
private func memory(
    _ name: String, _ function: String, _ first: String, _ second: String = "",
    body: @escaping @Sendable (Int32) throws -> [bpf_insn]
) -> Case {
    Case(name) {
        var program = try Raw.memoryImporter(of: function, body)
        try expectRefusal(first, second) { _ = try program.load() }
        // Once more with states compared at every chance: a path must not be taken for one that was walked before.
        program.flags = UInt32(BPF_F_TEST_STATE_FREQ)
        try expectRefusal(first, second) { _ = try program.load() }
    }
}
