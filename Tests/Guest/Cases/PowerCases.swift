// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CLibbpf
import Glibc

/// Functions of powers.bpf.c: whether tracing programs may have them, and the kernel's words if not.
private let powers: [(function: String, refusedWhenTracing: String?)] = [
    ("with_helper", nil), ("with_kfunc", nil), ("with_callback", nil), ("with_inner_map", nil),
    ("with_lock", "tracing progs cannot use bpf_spin_lock yet"), ("with_kernel_variable", nil), ("with_helper_below", nil),
]

/// Helpers, kfuncs, callbacks, maps and timers in exports: in every program that may have them itself.
let powerCases: [Case] =
    powers.map { function, refusal in
        Case("powers.\(function)") {
            let provider = try library("powers", entry: "tc")
            for kind in [ProgramKind.schedCls, .xdp, .cgroupSkb, .kprobe, .tracepoint, .perfEvent, .fentry, .rawTracepoint] {
                let program = try importer(of: function, from: provider, kind: kind)
                let traces = ![ProgramKind.schedCls, .xdp, .cgroupSkb, .fentry].contains { $0.name == kind.name }
                if traces, let refusal {
                    for _ in 0..<2 {
                        try expectRefusal(refusal, "cannot import \(function)() from prog \(provider.info.id) (powers)") {
                            _ = try program.load()
                        }
                    }
                } else {
                    let loaded = try program.load()
                    if kind.runs { try expectEqual(try loaded.run(), 8, "result of \(kind.name)") }
                }
            }
        }
    } + [
        Case("powers.refuse.lock_in_a_socket_filter") {
            let provider = try library("powers", entry: "tc")
            try expectRefusal("socket filter progs cannot use bpf_spin_lock yet", "it is not valid in programs of this kind") {
                _ = try importer(of: "with_lock", from: provider, kind: .socketFilter).load()
            }
        },
        // The program that the timer belongs to is the one with the code, and lives until the timer is gone.
        Case("powers.timer_outlives_its_importers") {
            for kind in [ProgramKind.schedCls, .xdp] {
                let (map, ticks): (OwnedDescriptor, OwnedDescriptor)
                do {
                    let provider = try library("ticking", entry: "tc")
                    map = try OwnedDescriptor(bpf_map_get_fd_by_id(try provider.map("clocks")), "map of the timer")
                    ticks = try OwnedDescriptor(bpf_map_get_fd_by_id(try provider.map("bss")), "map of the counter")
                    let importer = try Raw.importer(of: "start", from: provider, kind: kind).load()
                    try expectEqual(try importer.run(), 1, "result of starting the timer")
                }
                let counter = try mapID(ticks)
                // Provider and importer are closed: several grace periods pass before the tenth tick.
                let before = try element(ofMap: counter)
                try poll("the timer of \(kind.name) ticks on") { try element(ofMap: counter) > before + 10 }
                withExtendedLifetime(map) {}
            }
        },
        Case("powers.refuse.kfunc_of_other_programs") {
            var library = try RawProgram.library(type: BPF_PROG_TYPE_SCHED_CLS)
            let kernel = try require(btf__load_vmlinux_btf(), "the kernel's types")
            defer { btf__free(kernel) }
            let id = btf__find_by_name_kind(kernel, "bpf_dynptr_from_skb", 12 /* BTF_KIND_FUNC */)
            let types = try require(library.types, "types")
            try library.add(
                "wrap", taking: [try types.pointer(to: 0)],
                [
                    .set(2, 0), .copy(3, 10), .add(3, -16), .call(kernelFunction: id, slot: 0), .set(0, 6), .exit,
                ])
            try types.tag("ctx", function: library.functions[1].type, parameter: 0)
            let provider = try Provider(try library.load())
            for kind in [ProgramKind.schedCls, .socketFilter] {
                try expectEqual(
                    try Raw.importer(of: "wrap", from: provider, kind: kind, takesContext: true).load().run(), 6,
                    "result of \(kind.name)")
            }
            for kind in [ProgramKind.kprobe, .xdp] {
                try expectRefusal(
                    "calling kernel function bpf_dynptr_from_skb is not allowed",
                    "cannot import wrap() from prog \(provider.info.id) (lib): it is not valid in programs of this kind"
                ) { _ = try Raw.importer(of: "wrap", from: provider, kind: kind, takesContext: true).load() }
            }
        },
        Case("powers.refuse.socket_map_updated_by_tracing") {
            guard let map = try? makeMap(BPF_MAP_TYPE_SOCKMAP, valueSize: 4) else {
                throw Skip("the kernel has no socket maps")
            }
            // Of the types that can export, only iterators may.
            let iterator = ProgramKind(
                name: "iter", type: BPF_PROG_TYPE_TRACING, attachType: BPF_TRACE_ITER.rawValue, traced: "task")
            var library = try RawProgram.library(type: iterator.type)
            library.attachType = iterator.attachType
            library.attachTypeID = try iterator.attachTypeID()
            library.slots = [map]
            try library.add(
                "forget",
                [.store(10, -8, value: 0), .copy(2, 10), .add(2, -8)] + bpf_insn.map(1, slot: 0)
                    + [.helper(BPF_FUNC_map_delete_elem), .set(0, 3), .exit])
            let provider = try Provider(try library.load())
            _ = try Raw.importer(of: "forget", from: provider, kind: iterator).load()
            try expectRefusal("cannot update sockmap in this context", "it is not valid in programs of this kind") {
                _ = try Raw.importer(of: "forget", from: provider, kind: .kprobe).load()
            }
        },
    ]

/// A program that passes 7.
private func importer(of function: String, from provider: Provider, kind: ProgramKind) throws -> RawProgram {
    var program = try Raw.importer(from: provider, kind: kind)
    let types = try require(program.types, "types")
    program.instructions = [.set(1, 7), .call(import: try program.extern(function, [types.int]))] + kind.ending
    return program
}
