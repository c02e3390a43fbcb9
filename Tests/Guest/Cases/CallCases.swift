// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import BPFLinker
import BPFObject
import CLibbpf
import CLinuxSystem
import TestFixtures

/// `enum kind` of subprog.h.
enum Kind {
    static let kprobe: Int32 = 1
    static let tracepoint: Int32 = 2
    static let packet: Int32 = 3
}

/// A function called by programs of every type: it runs, and its effects are the provider's.
let callCases: [Case] = [
    Case("calls.kprobe") {
        let provider = try library("subprog")
        let counts = try provider.map("counts")
        let importer = try load("import_kprobe", from: [provider], attaching: .section)
        try withExtendedLifetime(importer) {
            try renameTask()
            try renameTask()
        }
        try expectEqual(try element(Kind.kprobe, ofMap: counts), 2, "weight counted for two renamed tasks")
        try expectEqual(try element(ofMap: try provider.map("bss")), 2, "calls counted in the library's global data")
    },
    Case("calls.tracepoint") {
        let provider = try library("subprog")
        let counts = try provider.map("counts")
        let importer = try load("import_tracepoint", from: [provider], attaching: .section)
        try withExtendedLifetime(importer) {
            try poll("a task switch was counted") { try element(Kind.tracepoint, ofMap: counts) >= 2 }
        }
    },
    Case("calls.raw_tracepoint_and_fentry") {
        let provider = try library("subprog")
        let counts = try provider.map("counts")
        let importer = try load("import_tracing", from: [provider], attaching: .section)
        try expect(try element(Kind.kprobe, ofMap: counts) >= 6, "no system call was counted by the raw tracepoint")
        try expectEqual(try element(Kind.tracepoint, ofMap: counts), 0, "weight counted before the traced function runs")
        try importer.run("on_entry", packet: nil)
        try expectEqual(try element(Kind.tracepoint, ofMap: counts), 7, "weight counted at the traced function's entry")
    },
    Case("calls.perf_event") {
        let provider = try library("subprog")
        let importer = try load("import_perf_event", from: [provider])
        let clock = try OwnedDescriptor(clinux_open_cpu_clock(0, 1_000_000), "perf_event_open")
        var options = bpf_link_create_opts()
        options.sz = MemoryLayout<bpf_link_create_opts>.size
        let link = try OwnedDescriptor(
            bpf_link_create(importer.programs[0].descriptor, clock.number, BPF_PERF_EVENT, &options), "link")
        let counts = try provider.map("counts")
        try withExtendedLifetime(link) {
            try poll("a clock tick was counted") { try element(Kind.packet, ofMap: counts) >= 8 }
        }
    },
    Case("calls.cgroup_skb_on_loopback") {
        let provider = try library("subprog")
        let counts = try provider.map("counts")
        let importer = try load("import_cgroup", from: [provider], attaching: .cgroup(try cgroupRoot()))
        try withExtendedLifetime(importer) { try sendToLoopback() }
        try expectEqual(try element(Kind.packet, ofMap: counts), 3, "weight counted for one datagram")
    },
    Case("calls.xdp") {
        let provider = try library("subprog")
        let importer = try load("import_xdp", from: [provider])
        let result = try importer.run()
        try expectEqual(result, 2, "XDP_PASS")
        try expectEqual(try element(Kind.packet, ofMap: try provider.map("counts")), 4, "weight counted for one frame")
    },
    Case("calls.sched_cls") {
        let provider = try library("subprog")
        let importer = try load("import_tc", from: [provider])
        try importer.run()
        try expectEqual(try element(Kind.packet, ofMap: try provider.map("counts")), 5, "weight counted for one packet")
    },
    Case("calls.socket_filter") {
        let provider = try library("subprog")
        let importer = try load("import_socket", from: [provider])
        try expectEqual(try importer.run(), 42, "twice(21)")
        try expectEqual(try element(Kind.packet, ofMap: try provider.map("counts")), 2, "weight counted in two calls")
    },
    Case("calls.one_function_from_every_type") {
        let provider = try library("subprog", entry: "kprobe")
        let counts = try provider.map("counts")
        let attached = [
            try load("import_kprobe", from: [provider], attaching: .section),
            try load("import_cgroup", from: [provider], attaching: .cgroup(try cgroupRoot())),
        ]
        try withExtendedLifetime(attached) {
            try renameTask()
            try sendToLoopback()
        }
        for name in ["import_xdp", "import_tc", "import_socket"] {
            try load(name, from: [provider]).run()
        }
        try expectEqual(try element(Kind.kprobe, ofMap: counts), 1, "weight from the kprobe")
        try expectEqual(try element(Kind.packet, ofMap: counts), 3 + 4 + 5 + 2, "weight from packets of all kinds")
        try expectEqual(try element(ofMap: try provider.map("bss")), 6, "calls in all")
    },
    Case("calls.two_levels") {
        let lower = try library("subprog")
        let upper = try library("library_on_library", from: [lower])
        let importer = try load("import_levels", from: [upper])
        // The count after adding 5 is 5, three times that is 15; then 10 and 30.
        try expectEqual(try importer.run(), 15, "first result")
        try expectEqual(try importer.run(), 30, "second result")
        try expectEqual(try element(Kind.packet, ofMap: try lower.map("counts")), 10, "counted two levels below")
    },
    Case("calls.own_export_is_also_an_import") {
        let provider = try library("import_socket", from: [try library("subprog")])
        try expectEqual(provider.info.exports.count, 1, "exports of a program that exports `twice` and imports")
        var program = try RawProgram.typed()
        let twice = try program.extern("twice", [try require(program.types, "types").int])
        program.instructions = [.set(1, 50), .call(import: twice), .exit]
        program.slots = [provider]
        try expectEqual(try program.load().run(), 100, "twice(50)")
    },
    Case("calls.several_providers") {
        let importer = try load("import_places", from: [try library("subprog"), try library("memory")])
        try expectEqual(try importer.run("from_two_providers"), 4 * 10 + 6, "swapped by one, scaled by the other")
    },
    Case("calls.in_callback") { try expectEqual(try runPlace("in_callback"), 7 + 2 * (0 + 1 + 2 + 3 + 4), "result") },
    Case("calls.in_rcu_section") { try expectEqual(try runPlace("in_rcu_section"), 16, "result") },
    Case("calls.without_preemption") { try expectEqual(try runPlace("without_preemption"), 25, "result") },
    Case("calls.in_dead_code") { try expectEqual(try runPlace("in_dead_code"), 9, "result") },
    Case("calls.in_own_functions") { try expectEqual(try runPlace("in_own_functions"), 7 + 20 + 10, "result") },
    Case("calls.in_a_loop") { try expectEqual(try runPlace("in_a_loop"), 9900, "result") },
    Case("calls.keep_registers_and_stack") { try expectEqual(try runPlace("with_much_to_keep"), 33, "result") },
    Case("calls.between_tail_calls") { try expectTailCalls("between_tail_calls") },
    Case("calls.below_tail_calls") { try expectTailCalls("below_tail_calls") },
    Case("calls.from_private_stack") {
        let provider = try library("subprog")
        let importer = try load("import_private_stack", from: [provider], attaching: .section)
        try withExtendedLifetime(importer) {
            for _ in 0..<10 { try renameTask() }
        }
        let data = try importer.map("bss")
        try expectEqual(
            Set([try element(ofMap: data), try element(ofMap: data, offset: 8)]), [0, 10], "runs and broken stack slots")
        try expectEqual(try element(Kind.kprobe, ofMap: try provider.map("counts")), 10, "calls")
    },
    Case("calls.entered_again_on_the_same_cpu") {
        let provider = try library("reentrant", entry: "kprobe")
        let tracer = try load("import_reentrant_kprobe", from: [provider], attaching: .section)
        let importer = try load("import_reentrant", from: [provider])
        try withExtendedLifetime(tracer) {
            for _ in 0..<5 { try expectEqual(try importer.run(), 1000, "result of the outer call") }
        }
        let data = try provider.map("bss")
        let numbers = [try element(ofMap: data), try element(ofMap: data, offset: 8)]
        try expectEqual(numbers.max(), 10, "times that the function was entered, every other time from within")
        try expectEqual(numbers.min(), 0, "slots of its stack that were overwritten")
    },
    Case("calls.blinded", unblinded: true) {
        let plain = try library("subprog")
        try setSysctl("net/core/bpf_jit_harden", "2")
        let blinded = try library("subprog")
        try expect(
            blinded.info.jitedLength > plain.info.jitedLength,
            "constants of the library are not blinded: \(blinded.info.jitedLength) bytes, \(plain.info.jitedLength) before")
        let importer = try load("import_socket", from: [blinded])
        try expectEqual(try importer.run(), 42, "blinded importer, blinded library")
        let other = try load("import_socket", from: [plain])
        try expectEqual(try other.run(), 42, "blinded importer, plain library")
        try setSysctl("net/core/bpf_jit_harden", "0")
        let another = try load("import_socket", from: [blinded])
        try expectEqual(try another.run(), 42, "plain importer, blinded library")
    },
    Case("calls.registers_that_the_callee_uses_too") {
        var library = try RawProgram.library()
        try library.add("answer", [.set(6, 1), .set(7, 2), .set(8, 3), .set(9, 4), .copy(0, 9), .exit])
        var program = try Raw.importer(from: try Provider(try library.load()))
        let call = program.instructions[0]
        program.instructions = [
            .set(6, 1000), .set(7, 2000), .set(8, 3000), .set(9, 4000), call,
            .sum(0, 6), .sum(0, 7), .sum(0, 8), .sum(0, 9), .exit,
        ]
        try expectEqual(try program.load().run(), 10_004, "result and what the importer kept in registers")
    },
    // Calls carry type ids in the same field as those of helpers: every helper's number once.
    Case("calls.immediates_that_are_numbers_of_helpers") {
        let provider = try Raw.answering(1)
        let count: UInt32 = 240
        let types = try TypeTable(leading: "answer", count: count)
        var program = RawProgram()
        program.types = types
        program.functions = [(0, try types.function("entry", [try types.pointer(to: 0)], returns: types.int))]
        program.instructions =
            [.set(6, 0)]
            + (1...Int32(count)).flatMap { [bpf_insn.call(import: $0), bpf_insn.sum(6, 0)] } + [.copy(0, 6), .exit]
        program.slots = [provider]
        let importer = try program.load()
        try expectEqual(try importer.run(), count, "sum of the answers")
        let calls = try translated(try importer.opened()).filter { $0.code == UInt8(BPF_JMP | BPF_CALL) }
        try expectEqual(calls.map(\.imm), Array(1...Int32(count)), "type ids in the translated calls")
    },
    Case("calls.weak_import_bound") {
        let importer = try load("weak", from: [try library("subprog")])
        try expectEqual(try importer.run(), 60, "scale(20, 3)")
    },
    Case("calls.weak_import_unresolved") {
        try expectEqual(try load("weak").run(), 7, "the importer's fallback")
    },
]

/// Which program a reference names: a descriptor, an id, a pin, a name, a tag.
let selectorCases: [Case] = ["descriptor", "id", "pin", "name", "tag"].map { how in
    Case("selectors.\(how)") {
        let provider = try library("subprog")
        let pin = "/sys/fs/bpf/guest_tests_selector"
        let selector: ProgramSelector =
            switch how {
            case "descriptor": .descriptor(provider.number)
            case "id": .id(provider.info.id)
            case "pin": .pinned(pin)
            case "name": .name(provider.info.name)
            default: .tag(provider.info.tag)
            }
        if how == "pin" { try expect(bpf_obj_pin(provider.number, pin) == 0, "the library cannot be pinned") }
        defer { if how == "pin" { unlink(pin) } }
        let program = try OpenProgram.open(selector)
        try expectEqual(program.info.id, provider.info.id, "id of the program that `\(selector)` names")
        let requests = try ["bpf_subprog", "bpf_subprog_scale"].map {
            ImportRequest(name: $0, provider: try program.providerSnapshot(namedAs: selector))
        }
        let object = try Object(bytes: try Fixture.bytes("import_socket"), name: "import_socket.bpf.o")
        let importer = try load(
            try link(object, imports: requests, options: Mode.options()), from: [program], options: LoadOptions())
        try expectEqual(try importer.run(), 42, "twice(21)")
    }
}

/// What a program of import_places returns.
private func runPlace(_ name: String) throws -> UInt32 {
    try load("import_places", from: [try library("subprog"), try library("memory")]).run(name)
}

/// Has a program of import_places jump to itself until the kernel's limit.
private func expectTailCalls(_ name: String) throws {
    let importer = try load("import_places", from: [try library("subprog"), try library("memory")])
    let jumps = try OwnedDescriptor(bpf_map_get_fd_by_id(try importer.map("jumps")), "map")
    var key: Int32 = 0
    var program = try importer.program(name).descriptor
    try expect(bpf_map_update_elem(jumps.number, &key, &program, 0) == 0, "the program array takes no importer")
    // MAX_TAIL_CALL_CNT is 33: the first run and 33 more.
    try expectEqual(try importer.run(name), 34, "runs until the limit")
    try expect(bpf_map_delete_elem(jumps.number, &key) == 0, "the program array keeps the importer")
}
