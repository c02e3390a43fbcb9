// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CLibbpf
import CLinuxSystem
import Glibc

/// Helpers that are another function of the kernel to each program type, of which many trust what runs to be of the type.
let runContextCases: [Case] = [
    Case("run_context.stack_and_output_of_each_type") {
        for entry in ["kprobe", "tracepoint", "raw_tp"] {
            let provider = try library("run_context", entry: entry)
            var options = LoadOptions()
            options.attach = [.section]
            let importer = try load(
                "import_run_context", only: ["on_rename", "on_switch", "on_call"], from: [provider], options: options)
            let data = try importer.map("bss")
            try withExtendedLifetime(importer) {
                try renameTask()
                for index in 0..<3 {
                    // The identifier of a stack and 1; then -ENOENT.
                    try poll("program \(index) has its stack, with a library of \(entry)") {
                        try element(ofMap: data, offset: index * 8) > 0
                    }
                    try expectEqual(
                        try element(ofMap: data, offset: 24 + index * 8), -Int(ENOENT), "result of program \(index)'s output")
                }
            }
            let environments = try provider.current().environments
            let foreign = environments.filter { $0.type.rawValue != provider.info.type.rawValue }
            try expect(
                foreign.allSatisfy { $0.error == 0 && $0.ownCodeLength > 0 } && foreign.count == 4,
                "two functions in two other types, with a library of \(entry): \(environments)")
        }
    },
    Case("run_context.address_of_what_is_traced") {
        let provider = try library("addresses", entry: "kprobe")
        var options = LoadOptions()
        options.attach = [.section]
        let importer = try load(
            "import_run_context", only: ["probed_address", "traced_address"], from: [provider], options: options)
        let data = try importer.map("bss")
        try withExtendedLifetime(importer) {
            try renameTask()
            _ = try importer.run("traced_address", packet: nil)
        }
        for (index, name) in ["__set_task_comm", "bpf_fentry_test1"].enumerated() {
            let address = UInt(bitPattern: try element(ofMap: data, offset: 48 + index * 8))
            let line = try require(
                try readFile("/proc/kallsyms").split(separator: "\n").first { $0.hasSuffix(" \(name)") }, "no symbol \(name)")
            let start = try require(UInt(line.prefix { $0 != " " }, radix: 16), "its address")
            // A probe behind the instruction that indirect branches land on counts as at the start.
            try expect(address >= start && address <= start + 4, "\(name) is at \(start), its address is told as \(address)")
        }
    },
    Case("run_context.refuse.address_where_nothing_is_traced") {
        let provider = try library("addresses", entry: "kprobe")
        for kind in [ProgramKind.tracepoint, .xdp, .schedCls] {
            var program = try RawProgram.typed(type: kind.type)
            let types = try require(program.types, "types")
            let function = try program.extern("address_of", [try types.pointer(to: 0)], returns: try types.unsignedLong())
            program.instructions = [.call(import: function), .set(0, 0), .exit]
            program.slots = [provider]
            try expectRefusal(
                "bpf_get_func_ip#173",
                "cannot import address_of() from prog \(provider.info.id) (addresses): it is not valid in programs of this kind"
            ) { _ = try program.load() }
        }
    },
    Case("run_context.cookies") {
        let map = try makeMap()
        let provider = try Raw.exporting(
            "cookie", type: BPF_PROG_TYPE_KPROBE, takesContext: true, [.helper(BPF_FUNC_get_attach_cookie), .exit])
        let perf = try Raw.recorder(of: "cookie", from: provider, in: map, kind: .perfEvent).load()
        let fentry = try Raw.recorder(of: "cookie", from: provider, in: map, kind: .fentry).load()
        let value = try mapID(map)
        var options = bpf_link_create_opts()
        options.sz = MemoryLayout<bpf_link_create_opts>.size
        do {
            options.perf_event.bpf_cookie = 7777
            let clock = try OwnedDescriptor(clinux_open_cpu_clock(0, 1_000_000), "perf_event_open")
            let link = try OwnedDescriptor(bpf_link_create(perf.number, clock.number, BPF_PERF_EVENT, &options), "link")
            try withExtendedLifetime(link) { try poll("the event's cookie") { try element(ofMap: value) == 7777 } }
        }
        options.tracing.cookie = 8888
        let link = try OwnedDescriptor(bpf_link_create(fentry.number, 0, BPF_TRACE_FENTRY, &options), "link")
        try withExtendedLifetime(link) { _ = try fentry.run(packet: nil) }
        try expectEqual(try element(ofMap: value), 8888, "cookie of the traced function")
        try expectRefusal("cannot use helper bpf_get_attach_cookie#174", "it is not valid in programs of this kind") {
            _ = try Raw.importer(of: "cookie", from: provider, kind: .xdp, takesContext: true).load()
        }
    },
    Case("run_context.redirection") {
        let provider = try Raw.redirecting()
        for (kind, result) in [(ProgramKind.xdp, UInt32(4)), (.schedCls, 7), (.schedAct, 7)] {
            try expectEqual(
                try Raw.importer(of: "send", from: provider, kind: kind).load().run(), result, "verdict of \(kind.name)")
        }
        let environments = try provider.current().environments
        try expect(environments.allSatisfy { $0.ownCodeLength > 0 }, "code of their own: \(environments)")
        for kind in [ProgramKind.kprobe, .tracepoint, .perfEvent, .cgroupSkb, .fentry, .socketFilter] {
            try expectRefusal("cannot use helper bpf_redirect#23") {
                _ = try Raw.importer(of: "send", from: provider, kind: kind).load()
            }
        }
    },
    Case("run_context.refuse.result_of_the_hook") {
        // It is found beside the run context of cgroup programs; others have none or another one.
        let provider = try Raw.exporting(
            "verdict", type: BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attachType: BPF_CGROUP_INET4_CONNECT.rawValue,
            [.helper(BPF_FUNC_get_retval), .exit])
        _ = try Raw.importer(of: "verdict", from: provider, kind: .cgroupConnect).load()
        for kind in [ProgramKind.kprobe, .xdp, .cgroupSkb, .socketFilter] {
            try expectRefusal(
                "cannot use helper bpf_get_retval#186",
                "cannot import verdict() from prog \(provider.info.id) (lib): it is not valid in programs of this kind"
            ) { _ = try Raw.importer(of: "verdict", from: provider, kind: kind).load() }
        }
    },
]
