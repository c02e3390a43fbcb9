// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CBPFLinkUAPI
import CLibbpf
import CLinuxSystem

/// `enum seen` of contexts.h.
private enum Seen {
    static let kprobe = 1
    static let tracepoint = 2
    static let cgroup = 3
    static let perf = 4
    static let xdp = 5
    static let queue = 6
    static let call = 7
    static let filter = 8
}

/// Functions that take the contexts of several program types: real events, one image.
let contextCases: [Case] =
    ["kprobe", "socket", "xdp"].map { entry in
        Case("contexts.events_of_every_type_\(entry)_library", unblinded: true) {
            let provider = try library("contexts", entry: entry)
            let counts = try provider.map("bss")
            func seen(_ what: Int) throws -> Int { try element(ofMap: counts, offset: what * 8) }

            var options = LoadOptions()
            options.attach = [.section, .cgroup(try cgroupRoot()), .xdp("lo")]
            let attached = try load(
                "import_contexts", only: ["on_rename", "on_switch", "on_arrival", "on_frame", "on_call"], from: [provider],
                options: options)
            let plain = try load("import_contexts", only: ["on_tick", "on_queue", "on_read", "without"], from: [provider])
            let clock = try OwnedDescriptor(clinux_open_cpu_clock(0, 1_000_000), "perf_event_open")
            var linking = bpf_link_create_opts()
            linking.sz = MemoryLayout<bpf_link_create_opts>.size
            let link = try OwnedDescriptor(
                bpf_link_create(try plain.program("on_tick").descriptor, clock.number, BPF_PERF_EVENT, &linking), "link")
            try withExtendedLifetime((attached, link)) {
                try renameTask()
                try sendToLoopback()
                try poll("a task switch, a clock tick and a system call are seen") {
                    try seen(Seen.tracepoint) > 0 && seen(Seen.perf) > 0 && seen(Seen.call) > 0
                }
                try expectEqual(try plain.run("on_queue"), 4, "result of on_queue")
                try expectEqual(try plain.run("on_read"), 4, "result of on_read")
                try expectEqual(try plain.run("without"), 5, "result of the program that passes no context")
            }
            try expectEqual(try seen(Seen.kprobe), 1, "renamed tasks whose address was in the register")
            // IP and UDP headers and one byte; the interface's index is 1.
            try expectEqual(try seen(Seen.cgroup), 20 + 8 + 1, "bytes that arrived")
            try expectEqual(try seen(Seen.xdp), 1, "sum of the interfaces' indices")
            try expectEqual(try seen(Seen.perf) % 1_000_000, 0, "sum of sample periods, each of a millisecond")
            try expectEqual(try seen(Seen.queue), somePacket.count, "bytes queued")
            try expectEqual(try seen(Seen.filter), somePacket.count - 14, "bytes filtered")
            try expectEqual(try symbolAddresses("bpf_subprog").count, 1, "images of bpf_subprog")
            try expectEqual(try symbolAddresses("bpf_subprog_more").count, 1, "images of bpf_subprog_more")
            try expectEqual(
                try provider.current().environments.filter { $0.ownCodeLength > 0 }.count, 0, "environments with own code")
        }
    } + [
        // What is NULL in one type and a context in another is one argument: the type's own context is an ordinary one.
        Case("contexts.own_context_goes_to_helpers") {
            let provider = try Raw.typedContext(
                "sched_cls", type: BPF_PROG_TYPE_SCHED_CLS,
                [
                    .jump(if: 1, equals: 0, 6), .set(2, 0), .copy(3, 10), .add(3, -8), .set(4, 1),
                    .helper(BPF_FUNC_skb_load_bytes), .jump(2), .set(0, 0), .exit, .load8(0, 10, -8), .exit,
                ])
            let importer = try Raw.contextImporter(of: provider, kind: .schedCls, [.call(import: 0), .exit])
            var packet = somePacket
            packet[0] = 0x77
            try expectEqual(try importer.load().run(packet: packet), 0x77, "first byte of the packet")
        },
        Case("contexts.passed_on_to_functions_below") {
            // middle(ctx) of the same provider hands it to take(ctx).
            var program = try RawProgram.library(type: BPF_PROG_TYPE_XDP)
            let types = try require(program.types, "types")
            let context = try types.pointer(to: 0)
            try program.add(
                "take", taking: [context], [.jump(if: 1, equals: 0, 2), .load32(0, 1, 0), .exit, .set(0, 0), .exit])
            try program.add("middle", taking: [context], [.call(-6), .exit])
            for function in program.functions.dropFirst() {
                try types.tag("ctx:sched_cls", function: function.type, parameter: 0)
            }
            let provider = try Provider(try program.load())
            for (kind, result) in [(ProgramKind.schedCls, UInt32(somePacket.count)), (.xdp, 0)] {
                let body: [bpf_insn] = (result == 0 ? [.set(1, 0)] : []) + [.call(import: 0), .exit]
                let importer = try Raw.contextImporter(of: provider, named: "middle", kind: kind, body)
                try expectEqual(try importer.load().run(), result, "result of \(kind.name)")
            }
        },
    ]

extension Raw {
    /// A provider of `int take(void *)`, which takes the context of programs of a named type.
    static func typedContext(
        _ tag: String, type: bpf_prog_type = BPF_PROG_TYPE_SOCKET_FILTER, name: String = "take", _ body: [bpf_insn]
    ) throws -> Provider {
        var program = try RawProgram.library(type: type)
        let types = try require(program.types, "types")
        try program.add(name, taking: [try types.pointer(to: 0)], body)
        try types.tag("ctx:\(tag)", function: program.functions[1].type, parameter: 0)
        return try Provider(try program.load())
    }

    /// A program that calls it.
    ///
    /// - Parameter body: the instructions; their call of an import is made one of the function.
    static func contextImporter(
        of provider: Provider, named name: String = "take", kind: ProgramKind, _ body: [bpf_insn]
    ) throws -> RawProgram {
        var program = try RawProgram.typed(type: kind.type)
        let types = try require(program.types, "types")
        let take = try program.extern(name, [try types.pointer(to: 0)])
        program.attachType = kind.attachType
        program.attachTypeID = try kind.attachTypeID()
        program.slots = [provider]
        program.instructions = body.map {
            $0.code == UInt8(BPF_JMP | BPF_CALL) && $0.src_reg == UInt8(BPFLINK_PSEUDO_PROG_CALL) ? .call(import: take) : $0
        }
        return program
    }
}
