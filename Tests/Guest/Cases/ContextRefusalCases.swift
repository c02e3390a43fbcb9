// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CLibbpf

/// What a function does with contexts of other program types, and what it is passed for them, that must not be.
let contextRefusalCases: [Case] =
    [
        body("without_a_check", "kprobe", "R1 invalid mem access 'foreign_ctx_or_null'", [.load(0, 1, 112), .exit]),
        body(
            "arithmetic_before_the_check", "kprobe", "pointer arithmetic on foreign_ctx_or_null prohibited",
            [.add(1, 8), .set(0, 0), .exit]),
        body(
            "arithmetic", "kprobe", "R1 pointer arithmetic on foreign_ctx prohibited", [.add(1, 8), .load(0, 1, 0), .exit],
            checked: true),
        body(
            "variable_offset", "kprobe", "",
            [
                .copy(6, 1), .helper(BPF_FUNC_get_prandom_u32), .and(0, 8), .sum(6, 0), .load(0, 6, 0), .exit,
            ], checked: true),
        body(
            "write", "kprobe", "R1 cannot write into the context of a kprobe program",
            [.store(1, 112, value: 0), .set(0, 0), .exit], checked: true),
        body(
            "write_into_a_packet_mark", "sched_cls", "R1 cannot write into the context of a sched_cls program",
            [.set(2, 1), .store32(1, 8, register: 2), .set(0, 0), .exit], checked: true),
        body(
            "atomic", "kprobe", "BPF_ATOMIC stores into R1 foreign_ctx is not allowed",
            [.set(2, 1), .atomicAdd(1, 112, register: 2), .set(0, 0), .exit], checked: true),
        body(
            "beyond_its_end", "kprobe", "invalid access to the context of a kprobe program, off=168 size=8",
            [.load(0, 1, 168), .exit], checked: true),
        body(
            "before_its_start", "kprobe", "invalid access to the context of a kprobe program, off=-8 size=8",
            [.load(0, 1, -8), .exit], checked: true),
        body(
            "common_fields", "tracepoint", "invalid access to the context of a tracepoint program, off=0 size=8",
            [.load(0, 1, 0), .exit], checked: true),
        body(
            "packet_data", "sched_cls",
            "the field at off=76 of the context of a sched_cls program is a pointer, only a program of that type can load it",
            [.load32(0, 1, 76), .exit], checked: true),
        body(
            "packet_data_of_xdp", "xdp", "the field at off=0 of the context of a xdp program is a pointer",
            [.load32(0, 1, 0), .exit], checked: true),
        body(
            "socket", "sched_cls", "the field at off=168 of the context of a sched_cls program is a pointer",
            [.load(0, 1, 168), .exit], checked: true),
        body(
            "field_of_no_such_size", "sched_cls", "invalid access to the context of a sched_cls program",
            [.load(0, 1, 0), .exit], checked: true),
        body(
            "helper", "sched_cls", "R1 type=foreign_ctx expected=",
            [
                .set(2, 0), .copy(3, 10), .add(3, -8), .set(4, 1), .helper(BPF_FUNC_skb_load_bytes), .set(0, 0), .exit,
            ], checked: true),
        body(
            "as_map_key", "kprobe", "R2 type=foreign_ctx expected=",
            [
                .copy(2, 1)
            ] + bpf_insn.map(1, slot: 0) + [.helper(BPF_FUNC_map_lookup_elem), .set(0, 0), .exit], checked: true,
            needsMap: true),
        body("returned", "kprobe", "R0 is not a", [.copy(0, 1), .exit], checked: true),
        body("unknown_type", "lsm", "arg#0 cannot be the context of 'lsm'", [.set(0, 0), .exit], atLoad: true),
        body("no_type", "", "arg#0 cannot be the context of ''", [.set(0, 0), .exit], atLoad: true),
    ] + [
        passing(
            "number", .xdp, "kprobe", "R1 is scalar, take() takes the context of a kprobe program or NULL",
            [.set(1, 8), .call(import: 0), .exit]),
        passing(
            "stack", .xdp, "kprobe", "R1 is fp, take() takes the context of a kprobe program or NULL",
            [.copy(1, 10), .call(import: 0), .exit]),
        passing(
            "context_of_another_type", .xdp, "kprobe", "R1 is ctx, take() takes the context of a kprobe program or NULL",
            [.call(import: 0), .exit]),
        passing(
            "context_of_a_similar_type", .socketFilter, "sched_cls",
            "R1 is ctx, take() takes the context of a sched_cls program or NULL", [.call(import: 0), .exit]),
        passing(
            "context_with_an_offset", .xdp, "xdp", "dereference of modified ctx ptr R1",
            [.add(1, 4), .call(import: 0), .exit]),
        passing(
            "number_on_another_path_than_null", .xdp, "kprobe",
            "R1 is scalar, take() takes the context of a kprobe program or NULL",
            [
                .helper(BPF_FUNC_get_prandom_u32), .set(1, 0x4141_4141), .jump(if: 0, equals: 0, 1), .set(1, 0),
                .call(import: 0), .exit,
            ]),
        passing(
            "null_or_number", .xdp, "kprobe", "R1 is scalar, take() takes the context of a kprobe program or NULL",
            [
                .helper(BPF_FUNC_get_prandom_u32), .copy(1, 0), .and(1, 1), .call(import: 0), .exit,
            ]),
    ] + [
        Case("contexts.refuse.one_instruction_for_two_types") {
            let body: [bpf_insn] = [
                .jump(if: 1, equals: 0, 1), .jump(2), .jump(if: 2, equals: 0, 3), .copy(1, 2), .load32(0, 1, 12), .exit,
                .set(0, 0), .exit,
            ]
            for (tags, words) in [
                (["kprobe", "tracepoint"], "the same insn loads from the contexts of"),
                (["xdp", "kprobe"], "same insn cannot be used with different pointers"),
            ] {
                var program = try RawProgram.library(type: BPF_PROG_TYPE_XDP)
                let types = try require(program.types, "types")
                let context = try types.pointer(to: 0)
                try program.add("take", taking: [context, context], body)
                for (index, tag) in tags.enumerated() {
                    try types.tag("ctx:\(tag)", function: program.functions[1].type, parameter: CInt(index))
                }
                try expectRefusal(words) { _ = try program.load() }
            }
        },
        Case("contexts.refuse.type_that_is_not_the_contexts") {
            var program = try RawProgram.library()
            let types = try require(program.types, "types")
            let pair = try types.pointer(to: try types.structure("pair", members: ["a"]))
            try program.add("take", taking: [pair], [.set(0, 0), .exit])
            try types.tag("ctx:kprobe", function: program.functions[1].type, parameter: 0)
            try expectRefusal("arg#0 should be `struct pt_regs *`") { _ = try program.load() }
        },
        Case("contexts.refuse.two_tags") {
            var program = try RawProgram.library()
            let types = try require(program.types, "types")
            try program.add("take", taking: [try types.pointer(to: 0)], [.set(0, 0), .exit])
            try types.tag("ctx:kprobe", function: program.functions[1].type, parameter: 0)
            try types.tag("nonnull", function: program.functions[1].type, parameter: 0)
            try expectRefusal("arg#0 has invalid combination of tags") { _ = try program.load() }
        },
        // Valid as a foreign context, which is never there; as its own it would be read before the check.
        Case("contexts.refuse.own_context_without_a_check") {
            try expectRefusal("R1 invalid mem access 'ctx_or_null'") {
                _ = try Raw.typedContext("xdp", type: BPF_PROG_TYPE_XDP, [.load32(0, 1, 12), .exit])
            }
        },
    ]

/// A function that takes the context of a type which the program that has it is not of.
private func body(
    _ name: String, _ tag: String, _ words: String, _ instructions: [bpf_insn], checked: Bool = false, atLoad: Bool = false,
    needsMap: Bool = false
) -> Case {
    Case("contexts.refuse.\(name)") {
        var program = try RawProgram.library()
        let types = try require(program.types, "types")
        if needsMap { program.slots = [try makeMap()] }
        // If the context is NULL, 0 is returned.
        let check: [bpf_insn] = checked ? [.jump(if: 1, equals: 0, 1), .jump(2), .set(0, 0), .exit] : []
        try program.add("take", taking: [try types.pointer(to: 0)], check + instructions)
        try types.tag("ctx:\(tag)", function: program.functions[1].type, parameter: 0)
        try expectRefusal(words) { _ = try program.load() }
        guard !atLoad else { return }
        program.flags |= UInt32(BPF_F_TEST_STATE_FREQ)
        try expectRefusal(words) { _ = try program.load() }
    }
}

/// An importer of a kind that passes what is no context of the tagged type.
private func passing(
    _ name: String, _ kind: ProgramKind, _ tag: String, _ words: String, _ instructions: [bpf_insn]
) -> Case {
    Case("contexts.refuse.passing_\(name)") {
        let provider = try Raw.typedContext(tag, [.set(0, 0), .exit])
        var program = try Raw.contextImporter(of: provider, kind: kind, instructions)
        try expectRefusal(words, "Caller passes invalid args into take() of prog") { _ = try program.load() }
        program.flags = UInt32(BPF_F_TEST_STATE_FREQ)
        try expectRefusal(words) { _ = try program.load() }
    }
}
