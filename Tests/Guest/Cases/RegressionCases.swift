// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CBPFLinkUAPI
import CLibbpf
import CLinuxSystem
import Glibc

/// Programs without imports and exports are what they are on a kernel without the patches; these cases pass on both.
let regressionCases: [Case] = [
    Case("regression.plain_program_is_translated_as_ever", unblinded: true) {
        var program = RawProgram()
        program.instructions =
            [.set(0, 1), .copy(6, 0), .store(10, -8, value: 3), .load(0, 10, -8), .sum(0, 6), .and(0, 7)]
            + [.add(0, 1), .jump(if: 0, equals: 5, 1), .set(0, 9), .exit]
        let loaded = try program.load()
        let opened = try loaded.opened()
        try expectEqual(try loaded.run(), 5, "result")
        // As read on Linux 7.3.4 without the patches.
        try expectEqual(opened.info.tag, "02f1581a2f86ce4b", "tag")
        // The branch never falls through, so the verifier's dead code pass removes one instruction and the branch.
        let kept = try translated(opened)
        try expectEqual(kept.count, 8, "instructions left by the verifier")
        let expected = program.instructions[0..<7] + [.exit]
        try expectEqual(kept.map(\.code), expected.map(\.code), "opcodes left by the verifier")
        try expectEqual(opened.info.exports.count + opened.info.imports.count, 0, "exports and imports")
    },
    Case("regression.object_is_loaded_as_by_libbpf") {
        let loaded = try load("plain")
        try expectEqual(loaded.programs[0].info.functions.count, 2, "functions")
        try expectEqual(try loaded.run(), UInt32(somePacket.count) - 14 + 1, "skb->len + 1")
    },
    Case("regression.uncalled_global_function_is_dropped") {
        let info = try uncalled(flags: 0).opened().info
        try expectEqual(info.functions.count, 1, "functions of a program that never reaches its global one")
        try expectEqual(info.exports.count, 0, "exports")
    },
    Case("regression.uncalled_global_function_need_not_be_safe") {
        let body: [bpf_insn] = [.load(0, 2, 0), .exit]
        let info = try uncalled(flags: 0, body).opened().info
        try expectEqual(info.functions.count, 1, "functions")
    },
    Case("regression.unknown_source_of_a_call") {
        var program = RawProgram.nothing
        program.instructions.insert(.call(import: 1), at: 0)
        program.instructions[0].src_reg = 5
        try expectRefusal("BPF_CALL uses reserved fields") { _ = try program.load() }
    },
    Case("regression.unknown_flags") {
        for bit in 11..<32 where bit != 16 {
            var program = RawProgram.nothing
            program.flags = 1 << bit
            do {
                _ = try program.load()
                throw Failure("flag 1 << \(bit) was accepted")
            } catch let refusal as RawProgram.Refusal {
                try expectEqual(refusal.error, EINVAL, "error for flag 1 << \(bit)")
            }
        }
    },
    Case("regression.recursive_global_functions_without_export") {
        var program = try RawProgram.typed()
        program.instructions = [.call(1), .exit]
        try program.add("one", [.call(1), .exit])
        try program.add("other", [.call(-3), .exit])
        try expectRefusal("recursive call from") { _ = try program.load() }
    },
    Case("regression.extension_of_a_global_function") {
        var target = try RawProgram.typed("main", type: BPF_PROG_TYPE_XDP)
        target.instructions = [.call(1), .exit]
        try target.add("inner", [.set(0, 1), .exit])
        let loaded = try target.load()
        var program = try RawProgram.typed("ext", type: BPF_PROG_TYPE_EXT)
        program.instructions = [.set(0, 2), .exit]
        let own = try require(program.types, "types")
        program.functions = [(0, try own.function("inner", [], returns: own.int))]
        program.attachProgram = loaded.number
        program.attachTypeID = target.functions[1].type
        let extension_ = try program.load()
        try expectEqual(try loaded.run(), 1, "result of the program as it is")
        let link = try OwnedDescriptor(bpf_raw_tracepoint_open(nil, extension_.number), "the extension's link")
        try withExtendedLifetime(link) { try expectEqual(try loaded.run(), 2, "result of the extended program") }
    },
    // Linux 7.3 takes a callback of ftrace at an odd address for one to be jumped to, when it is registered again, and
    // crashes at its next call (VMImages/README.md); kernels for these suites have none.
    Case("regression.kprobe_attached_again") {
        let symbols = try readFile("/proc/kallsyms").split(separator: "\n")
        for name in ["kprobe_ftrace_handler", "ftrace_ops_assist_func", "arch_ftrace_ops_list_func"] {
            let line = try require(symbols.first { $0.hasSuffix(" \(name)") }, "no symbol \(name)")
            let address = try require(UInt64(line.prefix { $0 != " " }, radix: 16), "the address in `\(line)`")
            try expect(address != 0 && address % 2 == 0, "\(name) is at an odd address, or at none that is told: `\(line)`")
        }
        for round in 1...3 { try expectEqual(try hitsOfKprobe(5), 5, "hits of the probe, attached for the \(round). time") }
    },
]

/// Attaches a probe to the entry of getppid(2) by perf alone, makes calls, and detaches it. Returns its hits.
private func hitsOfKprobe(_ calls: Int) throws -> UInt64 {
    let text = try readFile("/sys/bus/event_source/devices/kprobe/type").filter { $0 != "\n" }
    let type = try require(UInt32(text), "the number of perf's kprobes")
    let probe = try OwnedDescriptor(clinux_open_kprobe(type, "__x64_sys_getppid"), "perf_event_open")
    for _ in 0..<calls { _ = getppid() }
    var hits: UInt64 = 0
    try expect(read(probe.number, &hits, 8) == 8, "the probe's count cannot be read")
    return hits
}

/// The other side of the regressions: what the flag changes.
let flagCases: [Case] = [
    Case("exports.uncalled_global_function_is_kept") {
        let info = try uncalled(flags: BPFLINK_F_EXPORT_SUBPROGS).opened().info
        try expectEqual(info.functions.count, 2, "functions")
        try expectEqual(info.exports.count, 1, "exports")
    },
    Case("exports.uncalled_global_function_has_to_be_safe") {
        try expectRefusal("R2 !read_ok") { _ = try uncalled(flags: BPFLINK_F_EXPORT_SUBPROGS, [.load(0, 2, 0), .exit]) }
    },
    // Functions that fall to dead code elimination move the ones behind them.
    Case("exports.behind_a_function_that_is_dropped") {
        var program = try RawProgram.library()
        program.instructions = [.set(0, 0), .jump(if: 0, equals: 0, 1), .call(1), .exit]
        try program.add("dropped", linkage: BTF_FUNC_STATIC, [.set(0, 1), .set(0, 2), .exit])
        try program.add("first", [.set(0, 11), .exit])
        try program.add("second", [.call(-3), .add(0, 1), .exit])
        let provider = try Provider(try program.load())
        try expectEqual(provider.info.exports.map(\.functionIndex), [1, 2], "function indices of the exports")
        try expectEqual(try Raw.importer(of: "first", from: provider).load().run(), 11, "result of the first")
        try expectEqual(try Raw.importer(of: "second", from: provider).load().run(), 12, "result of the second")
    },
    Case("exports.flag_without_global_functions") {
        var program = RawProgram.nothing
        program.flags = BPFLINK_F_EXPORT_SUBPROGS
        let loaded = try program.load()
        try expectEqual(try loaded.opened().info.exports.count, 0, "exports")
        try expectEqual(try loaded.run(), 0, "result")
        let importer = try Raw.importer(from: loaded)
        try expectRefusal("it exports no function of that name") { _ = try importer.load() }
    },
    Case("exports.flag_without_type_information") {
        var program = RawProgram()
        program.flags = BPFLINK_F_EXPORT_SUBPROGS
        program.instructions = [.call(1), .exit, .set(0, 8), .exit]
        let loaded = try program.load()
        try expectEqual(try loaded.opened().info.exports.count, 0, "exports of functions without types")
        try expectEqual(try loaded.run(), 8, "result")
    },
    Case("exports.entry_function_works_as_without_the_flag") {
        var program = try RawProgram.library()
        program.instructions = [.call(1), .exit]
        try program.add("answer", [.set(0, 6), .exit])
        let provider = try Provider(try program.load())
        try expectEqual(try testRun(provider.number), 6, "result of the provider's own entry function")
        try expectEqual(try Raw.importer(from: provider).load().run(), 6, "result of an importer")
    },
]

/// A program with a call of a global function on a path that is never taken.
private func uncalled(flags: UInt32, _ body: [bpf_insn] = [.set(0, 3), .exit]) throws -> OwnedDescriptor {
    var program = try RawProgram.typed()
    program.flags = flags
    program.instructions = [.set(0, 0), .jump(if: 0, equals: 0, 1), .call(1), .exit]
    try program.add("uncalled", body)
    return try program.load()
}
