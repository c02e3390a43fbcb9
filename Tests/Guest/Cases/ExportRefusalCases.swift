// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CBPFLinkUAPI
import CLibbpf
import Glibc

/// Code that no other program can run on behalf of its caller, and the kernel's words on it.
private let obstacles: [(name: String, words: String, make: @Sendable () throws -> Provider)] = [
    ("program_array", "it uses a program array, which belongs to one program", { try tailCalling(callFirst: false) }),
    ("tail_call", "it makes tail calls", { try tailCalling(callFirst: true) }),
    ("tail_call_below", "it makes tail calls", { try tailCalling(callFirst: true, below: true) }),
    (
        "exception", "it may throw an exception, which its caller does not expect",
        {
            do { return try library("throwing", entry: "tc") } catch let error as KernelError
            where error.verifierLog?.text.contains("JIT does not support calling kfunc bpf_throw") == true {
                throw Skip("the kernel has no exceptions: they need CONFIG_UNWINDER_ORC")
            }
        }
    ),
    (
        "packet_load", "it loads packet data by BPF_LD_[ABS|IND]",
        {
            try Raw.exporting("foreign", takesContext: true, [.copy(6, 1), .loadPacketByte(12), .exit])
        }
    ),
    (
        "cgroup_storage", "it uses the cgroup storage of the program that runs",
        {
            let storage = try OwnedDescriptor(
                bpf_map_create(BPF_MAP_TYPE_CGROUP_STORAGE, "storage", 16, 8, 0, nil), "cgroup storage")
            return try Raw.exporting(
                "foreign", type: BPF_PROG_TYPE_CGROUP_SKB, slots: [storage],
                bpf_insn.map(1, slot: 0) + [.set(2, 0), .helper(BPF_FUNC_get_local_storage), .load(0, 0, 0), .exit])
        }
    ),
    (
        "instruction_array", "it uses an instruction array, which belongs to one program",
        { try jumpingIndirectly(loadFirst: true) }
    ),
    ("indirect_jump", "it uses an indirect jump", { try jumpingIndirectly(loadFirst: false) }),
    (
        "callback_called_now_and_later", "it has a callback that is called both now and later",
        { try library("both_ways", entry: "tc") }
    ),
    (
        "callback_chosen_at_run_time", "it calls back a function that is chosen at run time",
        { try library("chosen", entry: "tc") }
    ),
    (
        "program_array_behind_callbacks_that_start_each_other", "it uses a program array, which belongs to one program",
        { try library("circling", entry: "tc") }
    ),
    (
        "exclusive_map", "it uses a map that is exclusive to its program",
        {
            func program(_ map: CInt) throws -> RawProgram {
                var program = try RawProgram.library()
                let types = try require(program.types, "types")
                try program.add("foreign", taking: [try types.pointer(to: 0)], bpf_insn.map(1, descriptor: map) + [.set(0, 0), .exit])
                try types.tag("ctx", function: program.functions[1].type, parameter: 0)
                return program
            }
            let map = try makeExclusiveMap(SHA256.digest(of: program(0).instructions.withUnsafeBytes(Array.init)))
            return try withExtendedLifetime(map) { try Provider(try program(map.number).load()) }
        }
    ),
    (
        "destructive_kfunc", "it calls a destructive kfunc, which not everybody may",
        {
            let kernel = try require(btf__load_vmlinux_btf(), "the kernel's types")
            defer { btf__free(kernel) }
            let id = btf__find_by_name_kind(kernel, "crash_kexec", 12 /* BTF_KIND_FUNC */)
            guard id > 0 else { throw Skip("the kernel has no destructive kfunc: they need CONFIG_CRASH_DUMP") }
            return try Raw.exporting(
                "foreign", type: BPF_PROG_TYPE_TRACEPOINT, takesContext: true,
                [.set(1, 0), .call(kernelFunction: id, slot: 0), .set(0, 0), .exit])
        }
    ),
]

/// A provider of `int foreign(void *ctx)`, which jumps by a program array.
///
/// - Parameters:
///   - callFirst: whether the call lies before the load of the array, which runs before it all the same.
///   - below: whether a static function does it.
private func tailCalling(callFirst: Bool, below: Bool = false) throws -> Provider {
    let jumps = try makeMap(BPF_MAP_TYPE_PROG_ARRAY, valueSize: 4)
    let load = bpf_insn.map(2, slot: 0) + [.set(3, 0)]
    let call: [bpf_insn] = [.helper(BPF_FUNC_tail_call), .set(0, 0), .exit]
    let body = callFirst ? [.jump(3)] + call + load + [.jump(-7)] : load + call
    guard below else { return try Raw.exporting("foreign", takesContext: true, slots: [jumps], body) }
    var program = try RawProgram.library()
    let types = try require(program.types, "types")
    let context = try types.pointer(to: 0)
    program.slots = [jumps]
    try program.add("foreign", taking: [context], [.call(1), .exit])
    try program.add("inner", taking: [context], linkage: BTF_FUNC_STATIC, body)
    for function in program.functions.dropFirst() { try types.tag("ctx", function: function.type, parameter: 0) }
    return try Provider(try program.load())
}

/// A provider of `int foreign(void *ctx)`, which jumps to where an instruction array says.
private func jumpingIndirectly(loadFirst: Bool) throws -> Provider {
    var program = try RawProgram.library()
    let types = try require(program.types, "types")
    let load = bpf_insn.mapValue(2, slot: 0) + [.load(2, 2, 0)]
    let jump: [bpf_insn] = [.jump(to: 2), .set(0, 7), .exit]
    let body = loadFirst ? load + jump : [.jump(3)] + jump + load + [.jump(-7)]
    let start = program.instructions.count
    program.slots = [try makeInstructionArray(target: start + (loadFirst ? 4 : 2))]
    try program.add("foreign", taking: [try types.pointer(to: 0)], body)
    try types.tag("ctx", function: program.functions[1].type, parameter: 0)
    return try Provider(try program.load())
}

/// Types whose programs can neither export nor import, and the attach type that each needs to be loaded at all.
private let unlinkable: [(name: String, type: bpf_prog_type, attach: bpf_attach_type)] = [
    ("sock_ops", BPF_PROG_TYPE_SOCK_OPS, BPF_CGROUP_SOCK_OPS),
    ("sk_skb", BPF_PROG_TYPE_SK_SKB, BPF_SK_SKB_STREAM_PARSER),
    ("sk_msg", BPF_PROG_TYPE_SK_MSG, BPF_SK_MSG_VERDICT),
    ("sk_lookup", BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP),
    ("cgroup_device", BPF_PROG_TYPE_CGROUP_DEVICE, BPF_CGROUP_DEVICE),
    ("cgroup_sysctl", BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_CGROUP_SYSCTL),
    ("cgroup_sockopt", BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_CGROUP_GETSOCKOPT),
    ("flow_dissector", BPF_PROG_TYPE_FLOW_DISSECTOR, BPF_FLOW_DISSECTOR),
    ("lwt_xmit", BPF_PROG_TYPE_LWT_XMIT, BPF_CGROUP_INET_INGRESS),
]

/// Who may not export, and what may not be exported.
let exportRefusalCases: [Case] =
    obstacles.map { name, words, make in
        Case("exports.refuse.\(name)") {
            let provider = try make()
            var importer = try RawProgram.typed(type: bpf_prog_type(provider.info.type.rawValue))
            let context = try require(importer.types, "types").pointer(to: 0)
            let takesContext = name != "cgroup_storage"
            let function = try importer.extern("foreign", takesContext ? [context] : [])
            importer.instructions = [.call(import: function), .exit]
            importer.slots = [provider]
            try expectRefusal(
                "cannot import foreign() from prog \(provider.info.id) (\(provider.info.name)): \(words)",
                "Compile the function into this program instead."
            ) { _ = try importer.load() }
            // In a program of another kind it is refused before anything is verified.
            importer.type = BPF_PROG_TYPE_XDP
            try expectRefusal("cannot import foreign() from prog \(provider.info.id)", words) { _ = try importer.load() }
            try expectEqual(try provider.current().environments.count, 0, "environments that it was verified for")
        }
    }
    + unlinkable.flatMap { name, type, attach in
        [
            Case("exports.refuse.type_\(name)") {
                var program = RawProgram.nothing
                program.type = type
                program.attachType = attach.rawValue
                _ = try program.load()
                program.flags = BPFLINK_F_EXPORT_SUBPROGS
                try expectRefusal(
                    "cannot export subprograms: programs of this type neither export nor import functions",
                    "Load the program without BPF_F_EXPORT_SUBPROGS."
                ) { _ = try program.load() }
            },
            Case("imports.refuse.type_\(name)") {
                let provider = try Raw.answering()
                var program = try Raw.importer(from: provider, type: type)
                program.attachType = attach.rawValue
                try expectRefusal(
                    "cannot import from prog \(provider.info.id) (lib): ",
                    "programs of this type neither export nor import functions", "Compile the functions into this program"
                ) { _ = try program.load() }
            },
        ]
    } + [
        Case("exports.dependence_in_dead_code_does_not_count") {
            let provider = try library("dependent", entry: "tc")
            var program = try RawProgram.typed(type: BPF_PROG_TYPE_SCHED_CLS)
            let function = try program.extern("independent", [try require(program.types, "types").int])
            program.instructions = [.set(1, 6), .call(import: function), .exit]
            program.slots = [provider]
            try expectEqual(try program.load().run(), 7, "result")
        },
        Case("exports.refuse.call_of_the_entry_function") {
            // It was verified with the context of a program that runs, which nobody has who imports the caller.
            for (flag, callback) in [(BPFLINK_F_EXPORT_SUBPROGS, false), (BPFLINK_F_EXPORT_SUBPROGS, true), (BPFLINK_F_KEEP_SUBPROGS, false)] {
                var program = try RawProgram.library()
                program.flags = flag
                let types = try require(program.types, "types")
                let context = try types.pointer(to: 0)
                let loop: [bpf_insn] = [.set(1, 1)] + bpf_insn.function(2, -4) + [.set(3, 0), .set(4, 0), .helper(BPF_FUNC_loop), .exit]
                try program.add("again", taking: [context], callback ? loop : [.call(-3), .exit])
                try types.tag("ctx", function: program.functions[1].type, parameter: 0)
                try expectRefusal("insn \(callback ? 3 : 2) calls the entry function of a program with exports") { _ = try program.load() }
            }
        },
        Case("exports.refuse.extension_of_provider") {
            var target = try RawProgram.library(type: BPF_PROG_TYPE_XDP)
            try target.add("answer", [.set(0, 1), .exit])
            let provider = try Provider(try target.load())
            var program = try RawProgram.typed("ext", type: BPF_PROG_TYPE_EXT)
            program.instructions = [.set(0, 2), .exit]
            let types = try require(program.types, "types")
            program.functions = [(0, try types.function("answer", [], returns: types.int))]
            program.attachProgram = provider.number
            program.attachTypeID = provider.info.exports[0].typeID
            try expectRefusal("Cannot extend a program that exports subprograms") { _ = try program.load() }
            // The same extension of the same function, not exported, is fine.
            target.flags = 0
            target.instructions = [.call(1), .exit, .set(0, 1), .exit]
            target.functions[1].start = 2
            let plain = try target.load()
            program.attachProgram = plain.number
            _ = try withExtendedLifetime(plain) { try program.load() }
        },
        // An extension would take for its context what may be NULL, in whatever program.
        Case("exports.refuse.extension_of_a_function_with_a_named_context") {
            for tag in ["ctx:kprobe", nil] {
                var target = try RawProgram.typed("plain", type: BPF_PROG_TYPE_XDP)
                target.instructions = [.set(1, 0), .call(1), .exit]
                let types = try require(target.types, "types")
                let registers = try types.pointer(to: try types.structure("pt_regs", members: ["a"]))
                try target.add("answer", taking: [registers], [.set(0, 1), .exit])
                if let tag { try types.tag(tag, function: target.functions[1].type, parameter: 0) }
                let loaded = try target.load()
                var program = try RawProgram.typed("ext", type: BPF_PROG_TYPE_EXT)
                program.instructions = [.set(0, 2), .exit]
                let own = try require(program.types, "types")
                let parameter = try own.pointer(to: try own.structure("pt_regs", members: ["a"]))
                program.functions = [(0, try own.function("answer", [parameter], returns: own.int))]
                program.attachProgram = loaded.number
                program.attachTypeID = target.functions[1].type
                try withExtendedLifetime(loaded) {
                    guard tag != nil else { return _ = try program.load() }
                    try expectRefusal("Cannot extend a function that takes the context of a named program type") {
                        _ = try program.load()
                    }
                }
            }
        },
        // Helpers rely on a context that a tracing program finds among arguments; one of a named type may be NULL.
        Case("exports.refuse.tracing_takes_a_named_context_for_one") {
            for linkage in [BTF_FUNC_GLOBAL, BTF_FUNC_STATIC] {
                for tag in ["ctx:xdp", nil] {
                    var target = try RawProgram.typed("plain", type: BPF_PROG_TYPE_XDP)
                    let types = try require(target.types, "types")
                    let context = try types.pointer(to: try types.structure("xdp_md", members: ["data"]))
                    target.instructions = (tag == nil ? [] : [.set(1, 0)]) + [.call(1), .exit]
                    try target.add("look", taking: [context], linkage: linkage, [.set(0, 2), .exit])
                    if let tag { try types.tag(tag, function: target.functions[1].type, parameter: 0) }
                    let loaded = try target.load()
                    var tracer = RawProgram()
                    tracer.type = BPF_PROG_TYPE_TRACING
                    tracer.attachType = BPF_TRACE_FENTRY.rawValue
                    tracer.attachProgram = loaded.number
                    tracer.attachTypeID = target.functions[1].type
                    tracer.instructions = [
                        .load(1, 1, 0), .helper(BPF_FUNC_xdp_get_buff_len), .set(0, 0), .exit,
                    ]
                    try withExtendedLifetime(loaded) {
                        guard tag != nil else { return _ = try tracer.load() }
                        try expectRefusal("R1 type=scalar expected=ptr_") { _ = try tracer.load() }
                    }
                }
            }
        },
        // Loaded against another program, then attached to the provider.
        Case("exports.refuse.extension_attached_later") {
            var plain = try RawProgram.typed("plain", type: BPF_PROG_TYPE_XDP)
            plain.instructions = [.call(1), .exit]
            try plain.add("answer", [.set(0, 1), .exit])
            let target = try plain.load()
            let provider = try Raw.answering(type: BPF_PROG_TYPE_XDP)
            var program = try RawProgram.typed("ext", type: BPF_PROG_TYPE_EXT)
            program.instructions = [.set(0, 2), .exit]
            let types = try require(program.types, "types")
            program.functions = [(0, try types.function("answer", [], returns: types.int))]
            program.attachProgram = target.number
            program.attachTypeID = plain.functions[1].type
            let replacement = try program.load()
            var options = bpf_link_create_opts()
            options.sz = MemoryLayout<bpf_link_create_opts>.size
            options.target_btf_id = provider.info.exports[0].typeID
            let result = bpf_link_create(replacement.number, provider.number, bpf_attach_type(0), &options)
            if result >= 0 { close(result) }
            try expectEqual(result, -EINVAL, "result of attaching an extension to an export")
            try expectEqual(try Raw.importer(from: provider).load().run(), 42, "result of an importer")
            withExtendedLifetime(target) {}
        },
        Case("exports.refuse.extension_program") {
            let target = try RawProgram.typed("main", type: BPF_PROG_TYPE_XDP)
            var xdp = target
            xdp.instructions = [.call(1), .exit, .set(0, 1), .exit]
            let types = try require(xdp.types, "types")
            let inner = try types.function("inner", [], returns: types.int)
            xdp.functions.append((2, inner))
            let loaded = try xdp.load()
            var program = try RawProgram.typed("ext", type: BPF_PROG_TYPE_EXT)
            program.instructions = [.set(0, 2), .exit]
            let own = try require(program.types, "types")
            program.functions = [(0, try own.function("inner", [], returns: own.int))]
            program.attachProgram = loaded.number
            program.attachTypeID = inner
            try withExtendedLifetime(loaded) {
                _ = try program.load()
                program.flags = BPFLINK_F_EXPORT_SUBPROGS
                try expectRefusal("cannot export subprograms: programs of this type neither export nor import functions") {
                    _ = try program.load()
                }
                program.flags = 0
                program.slots = [try Raw.answering()]
                try expectRefusal("(lib): programs of this type neither export nor import functions") {
                    _ = try program.load()
                }
            }
        },
        Case("exports.refuse.type_syscall") {
            var program = RawProgram.nothing
            program.type = BPF_PROG_TYPE_SYSCALL
            program.flags = UInt32(BPF_F_SLEEPABLE)
            _ = try program.load()
            program.slots = [try Raw.answering()]
            try expectRefusal("(lib): programs of this type neither export nor import functions") { _ = try program.load() }
            program.slots = []
            program.flags |= BPFLINK_F_EXPORT_SUBPROGS
            try expectRefusal("cannot export subprograms: programs of this type neither export nor import functions") {
                _ = try program.load()
            }
        },
        // A declaration is in the importer's type information, but no function of it.
        Case("exports.refuse.tracing_of_an_import_in_the_importer") {
            let provider = try Raw.answering()
            let importer = try Raw.importer(from: provider)
            let loaded = try importer.load()
            var tracer = RawProgram.nothing
            tracer.type = BPF_PROG_TYPE_TRACING
            tracer.attachType = BPF_TRACE_FENTRY.rawValue
            tracer.attachProgram = loaded.number
            tracer.attachTypeID = UInt32(importer.instructions[0].imm)
            try withExtendedLifetime(loaded) {
                try expectRefusal("Subprog answer doesn't exist") { _ = try tracer.load() }
            }
        },
        Case("exports.refuse.two_of_one_name") {
            var program = try RawProgram.library()
            try program.add("twin", [.set(0, 1), .exit])
            try program.add("twin", [.set(0, 2), .exit])
            try expectRefusal("cannot export subprograms: two of them are named twin") { _ = try program.load() }
        },
        Case("exports.refuse.body_that_is_not_safe") {
            var program = try RawProgram.library()
            try program.add("unsafe", [.load(0, 2, 0), .exit])
            try expectRefusal("R2 !read_ok") { _ = try program.load() }
        },
        Case("exports.refuse.pointer_result") {
            var program = try RawProgram.library()
            let types = try require(program.types, "types")
            try program.add("address", returns: try types.pointer(to: types.int), [.set(0, 0), .exit])
            try expectRefusal("return value not void or scalar") { _ = try program.load() }
        },
        Case("exports.refuse.memory_of_unknown_size") {
            var program = try RawProgram.library()
            let types = try require(program.types, "types")
            try program.add("unsized", taking: [try types.pointer(to: 0)], [.set(0, 0), .exit])
            try expectRefusal("reference type", "size cannot be determined") { _ = try program.load() }
        },
        Case("exports.refuse.recursion") {
            var program = try RawProgram.library()
            try program.add("one", [.call(1), .exit])
            try program.add("other", [.call(-3), .exit])
            try expectRefusal("recursive call from") { _ = try program.load() }
        },
        Case("exports.refuse.start_within_an_instruction") {
            var program = try RawProgram.library()
            try program.add("wide", [.wide(0, 1)[0]])
            try program.add("half", [.wide(0, 1)[1], .exit])
            try expectRefusal("") { _ = try program.load() }
        },
        Case("exports.refuse.function_entered_by_fall_through") {
            var program = try RawProgram.library()
            program.instructions = [.set(0, 0)]
            try program.add("behind", [.exit])
            try expectRefusal("last insn is not an exit or jmp") { _ = try program.load() }
        },
        Case("exports.refuse.extern_function_in_func_info") {
            var program = try RawProgram.library()
            try program.add("foreign", linkage: BTF_FUNC_EXTERN, [.set(0, 0), .exit])
            try expectRefusal("extern function foreign in func info") { _ = try program.load() }
        },
        Case("exports.refuse.unreachable_static") {
            var program = try RawProgram.library()
            try program.add("kept", [.set(0, 0), .exit])
            try program.add("lost", linkage: BTF_FUNC_STATIC, [.set(0, 0), .exit])
            try expectRefusal("number of funcs in func_info doesn't match number of subprogs") { _ = try program.load() }
        },
        Case("exports.refuse.loader_without_privilege") {
            var program = RawProgram.nothing
            program.flags = BPFLINK_F_EXPORT_SUBPROGS
            try withCapabilities([]) {
                try expectRefusal("cannot export subprograms: CAP_BPF is required") { _ = try program.load() }
            }
        },
    ]
