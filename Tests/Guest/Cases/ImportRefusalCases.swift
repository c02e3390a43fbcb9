// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CBPFLinkUAPI
import CLibbpf
import Glibc

/// What cannot be imported: nothing like it is there, it is not what the importer takes it for, or the importer may not.
let importRefusalCases: [Case] = slotCases + nameCases + declarationCases + permissionCases

/// The descriptor table and the call's own fields.
private let slotCases: [Case] = [
    Case("imports.refuse.slot_is_a_map") {
        let map = try makeMap()
        let program = try Raw.importer(from: map)
        try expectRefusal("fd_idx 0 is not a program") { _ = try program.load() }
    },
    Case("imports.refuse.slot_is_type_information") {
        let types = try TypeTable().load()
        let program = try Raw.importer(from: types)
        try expectRefusal("fd_idx 0 is not a program") { _ = try program.load() }
    },
    Case("imports.refuse.slot_is_neither") {
        let file = try OwnedDescriptor(open("/dev/null", O_RDONLY), "/dev/null")
        let program = try Raw.importer(from: file)
        try expectRefusal("fd \(file.number) is not pointing to valid bpf_map, btf or bpf_prog") { _ = try program.load() }
    },
    Case("imports.refuse.provider_taken_for_a_map") {
        var program = RawProgram.nothing
        program.slots = [try Raw.answering()]
        program.instructions = bpf_insn.map(1, slot: 0) + RawProgram.nothing.instructions
        try expectRefusal("fd_idx 0 is not a map") { _ = try program.load() }
    },
    Case("imports.refuse.provider_taken_for_a_module") {
        let provider = try Raw.answering()
        var program = RawProgram.nothing
        program.slots = [provider, provider]
        program.instructions.insert(.call(kernelFunction: 1, slot: 1), at: 0)
        try expectRefusal("kfunc fd_idx 1 is not a module BTF") { _ = try program.load() }
    },
    Case("imports.refuse.provider_without_exports") {
        let provider = try RawProgram.nothing.load()
        let id = try provider.opened().info.id
        let program = try Raw.importer(from: provider)
        try expectRefusal(
            "cannot import from prog \(id) (raw): it exports nothing, load it with BPF_F_EXPORT_SUBPROGS"
        ) { _ = try program.load() }
    },
    Case("imports.refuse.slot_out_of_range") {
        for slot: Int16 in [1, 5, .max, -1, .min] {
            var program = try Raw.importer(from: try Raw.answering())
            program.instructions[0].off = slot
            try expectRefusal("fd_idx \(slot) is not a program") { _ = try program.load() }
        }
    },
    Case("imports.refuse.table_without_count") {
        var program = try Raw.importer(from: try Raw.answering())
        program.slotCount = 0
        do {
            _ = try program.load()
            throw Failure("a call through fd_array without fd_array_cnt was accepted")
        } catch let refusal as RawProgram.Refusal {
            try expectEqual(refusal.error, EPROTO, "error number")
            try expect(
                refusal.log.contains("call of another program without fd_array_cnt is invalid"),
                "the log is: \(refusal.log)")
        }
    },
    Case("imports.refuse.more_than_64_providers") {
        let providers = try (0..<65).map { _ in try Raw.answering() }
        var program = try Raw.importer(from: providers[0])
        program.slots = Array(providers.prefix(64))
        try expectEqual(try program.load().run(), 42, "answer of the first of 64 providers")
        program.slots = providers
        try expectRefusal("cannot import from more than 64 programs") { _ = try program.load() }
    },
    Case("imports.refuse.more_than_256_functions") {
        var program = try Raw.importer(from: try Raw.answering())
        program.instructions = try (0..<256).map { _ in .call(import: try program.extern("answer")) } + [.exit]
        try expectEqual(try program.load().run(), 42, "answer of the last of 256 imports")
        program.instructions.insert(.call(import: try program.extern("answer")), at: 0)
        try expectRefusal("cannot import more than 256 functions") { _ = try program.load() }
    },
    Case("imports.refuse.immediate_that_is_no_extern_function") {
        var program = try Raw.importer(from: try Raw.answering())
        let types = try require(program.types, "types")
        for immediate: Int32 in [0, -1, Int32(types.int), Int32(program.functions[0].type), 1000] {
            program.instructions[0].imm = immediate
            try expectRefusal("type id \(immediate) is not an extern function") { _ = try program.load() }
        }
    },
    Case("imports.refuse.importer_without_type_information") {
        var program = try Raw.importer(from: try Raw.answering())
        program.types = nil
        try expectRefusal("requires BTF with func_info") { _ = try program.load() }
    },
    Case("imports.refuse.reserved_fields") {
        let good = try Raw.importer(from: try Raw.answering())
        var program = good
        program.instructions[0].dst_reg = 1
        try expectRefusal("BPF_CALL uses reserved fields") { _ = try program.load() }
        program = good
        program.instructions[0].code = UInt8(BPF_JMP32 | BPF_CALL)
        try expectRefusal("unknown opcode 86") { _ = try program.load() }
        program = good
        program.instructions[0].code = UInt8(BPF_JMP | BPF_CALL | BPF_X)
        try expectRefusal("unknown opcode 8d") { _ = try program.load() }
        program = good
        program.instructions[0].src_reg = 5
        try expectRefusal("BPF_CALL uses reserved fields") { _ = try program.load() }
    },
]

/// Names that the provider does not export.
private let nameCases: [Case] = [
    ("unknown", "bpf_subprogg"), ("static", "count"), ("hidden", "clamp"), ("entry_function", "subprog"), ("prefix", "bpf_"),
].map { what, name in
    Case("imports.refuse.\(what)_name") {
        let provider = try library("subprog")
        let program = try Raw.importer(of: name, from: provider)
        try expectRefusal(
            "cannot import \(name)() from prog \(provider.info.id) (subprog): it exports no function of that name",
            "Name a function that the program defines with global linkage and default visibility."
        ) { _ = try program.load() }
    }
} + [
    Case("imports.refuse.unknown_name_in_dead_code") {
        var program = try Raw.importer(of: "nothing", from: try Raw.answering())
        program.instructions = [.set(0, 0), .jump(if: 0, equals: 0, 1)] + program.instructions
        try expectRefusal("it exports no function of that name") { _ = try program.load() }
    }
]

/// Declarations that are not the provider's; bpflink is made to believe them.
private let declarationCases: [Case] = [
    ("wrong_count", "bpf_subprog", "it is declared with 3 arguments but has 2"),
    ("wrong_type", "bpf_subprog_scale", "argument 2 is declared with another type"),
    ("wrong_struct", "bpf_subprog", "argument 2 is declared with another type"),
].map { fixture, function, reason in
    Case("imports.refuse.\(fixture)") {
        let provider = try library("subprog")
        try expectRefusal(
            "cannot import \(function)() from prog \(provider.info.id) (subprog): \(reason)",
            "Compile this program with the declaration of the program that it imports from."
        ) { _ = try loadUnchecked(fixture, from: provider) }
    }
} + [
    Case("imports.refuse.wrong_result") {
        let provider = try Raw.answering()
        for result in ["long", "void"] {
            var program = try RawProgram.typed()
            let types = try require(program.types, "types")
            let function = try program.extern("answer", returns: result == "void" ? 0 : types.long)
            program.instructions = [.call(import: function), .set(0, 0), .exit]
            program.slots = [provider]
            try expectRefusal("it is declared with another return type") { _ = try program.load() }
        }
    },
    Case("imports.refuse.wrong_pointee") {
        let provider = try library("memory")
        var program = try RawProgram.typed()
        let types = try require(program.types, "types")
        let wrong: [(String, UInt32)] = [
            ("long", types.long), ("another name", try types.structure("couple", members: ["a", "b"])),
            ("larger", try types.structure("pair", members: ["a", "b", "c"])),
            ("array", try types.array(of: types.long, count: 2)),
        ]
        program.slots = [provider]
        for (what, pointee) in wrong {
            let function = try program.extern("mem_fill", [try types.pointer(to: pointee)])
            program.instructions = [.set(1, 0), .call(import: function), .exit]
            do {
                try expectRefusal("argument 1 is declared with another type") { _ = try program.load() }
            } catch { throw Failure("pointer to \(what): \(words(of: error))") }
        }
    },
    Case("imports.refuse.scalar_declared_as_pointer") {
        let provider = try library("subprog")
        var program = try RawProgram.typed()
        let types = try require(program.types, "types")
        let function = try program.extern("bpf_subprog_scale", [try types.pointer(to: types.int), types.int])
        program.instructions = [.copy(1, 10), .set(2, 0), .call(import: function), .exit]
        program.slots = [provider]
        try expectRefusal("argument 1 is declared with another type") { _ = try program.load() }
    },
]

/// Importers that lack something the function needs.
private let permissionCases: [Case] = [
    Case("imports.refuse.gpl_only_through_another_license") {
        let provider = try library("licensed")
        var program = try Raw.importer(of: "gpl_only", from: provider)
        try expectEqual(try program.load().run(), 0, "result for a GPL program")
        program.license = "Proprietary"
        try expectRefusal(
            "cannot call GPL-restricted function from non-GPL compatible program",
            "cannot import gpl_only() from prog \(provider.info.id) (licensed): it is not valid in programs of this kind"
        ) { _ = try program.load() }
        program.license = "GPL"
        try expectEqual(try program.load().run(), 0, "result for a GPL program afterwards")
    },
    Case("imports.another_license_without_gpl_only_helpers") {
        let provider = try library("licensed")
        var program = try Raw.importer(of: "for_everyone", from: provider)
        program.license = "Proprietary"
        try expectEqual(try program.load().run(), 5, "result")
        try expectEqual(try provider.current().environments.map { $0.flags.contains(.gpl) }, [false], "GPL environments")
    },
    Case("imports.importer_without_perfmon") {
        let provider = try Raw.answering()
        let program = try Raw.importer(from: provider)
        try expectEqual(try withCapabilities(.bpfOnly) { try program.load() }.run(), 42, "result")
        let environments = try provider.current().environments
        try expectEqual(environments.map { $0.flags.contains(.perfmon) }, [false], "environments with CAP_PERFMON")
        try expectEqual(environments.map(\.error), [0], "their errors")
    },
    // In a program whose loader has CAP_PERFMON it may keep kernel addresses where user space sees them.
    Case("imports.refuse.pointer_leak_through_the_provider") {
        let map = try makeMap()
        let provider = try Raw.exporting(
            "leak", slots: [map], bpf_insn.mapValue(1, slot: 0) + [.store(1, 0, register: 10), .set(0, 1), .exit])
        let program = try Raw.importer(of: "leak", from: provider)
        try expectEqual(try program.load().run(), 1, "result for an importer with CAP_PERFMON")
        try withCapabilities(.bpfOnly) {
            try expectRefusal("R10 leaks addr into map", "it is not valid in programs of this kind") { _ = try program.load() }
        }
    },
    Case("imports.refuse.kernel_memory_without_perfmon") {
        let provider = try library("licensed")
        let program = try Raw.importer(of: "gpl_only", from: provider)
        try withCapabilities(.bpfOnly) {
            try expectRefusal(
                "program of this type cannot use helper bpf_probe_read_kernel#113",
                "cannot import gpl_only() from prog \(provider.info.id) (licensed): it is not valid in programs of this kind"
            ) { _ = try program.load() }
        }
    },
    Case("imports.provider_without_perfmon") {
        var library = try RawProgram.library()
        try library.add("answer", [.set(0, 7), .exit])
        let raw = try withCapabilities(.bpfOnly) { try library.load() }
        let provider = try Provider(raw)
        let program = try Raw.importer(from: provider)
        try expectEqual(try program.load().run(), 7, "result for an importer with more privileges")
        let equal = try withCapabilities(.bpfOnly) { try program.load() }
        try expectEqual(try equal.run(), 7, "result for an importer with the same privileges")
    },
    Case("imports.refuse.importer_without_bpf") {
        let provider = try Raw.answering()
        var program = RawProgram.nothing
        program.slots = [provider]
        try withCapabilities([]) {
            try expectRefusal("cannot import from prog \(provider.info.id) (lib): CAP_BPF is required") {
                _ = try program.load()
            }
        }
    },
    Case("imports.refuse.program_traced_by_the_importer") {
        var target = try RawProgram.library("target", type: BPF_PROG_TYPE_XDP)
        try target.add("answer", [.set(0, 1), .exit])
        let provider = try Provider(try target.load())
        var program = try Raw.importer(from: provider, type: BPF_PROG_TYPE_TRACING)
        program.attachType = BPF_TRACE_FENTRY.rawValue
        program.attachProgram = provider.number
        program.attachTypeID = provider.info.exports[0].typeID
        try expectRefusal(
            "cannot import from prog \(provider.info.id) (target): programs of this type neither export nor import functions"
        ) { _ = try program.load() }
    },
    Case("imports.refuse.helper_that_the_importer_may_not_call") {
        var target = try RawProgram.library(type: BPF_PROG_TYPE_CGROUP_SOCK)
        try target.add("now", [.helper(BPF_FUNC_ktime_get_coarse_ns), .exit])
        let provider = try Provider(try target.load())
        try Raw.importer(of: "now", from: provider).load().run()
        let program = try Raw.importer(of: "now", from: provider, type: BPF_PROG_TYPE_KPROBE)
        try expectRefusal(
            "program of this type cannot use helper bpf_ktime_get_coarse_ns#160",
            "cannot import now() from prog \(provider.info.id) (lib): it is not valid in programs of this kind",
            "Change what the last lines above object to, or compile the function into this program."
        ) { _ = try program.load() }
    },
    Case("imports.refuse.while_a_lock_is_held") {
        let provider = try library("subprog")
        try expectRefusal(
            "bpf_subprog_scale() of prog \(provider.info.id) (subprog) cannot be called while holding a lock"
        ) { _ = try load("import_locked", from: [provider]) }
    },
]
