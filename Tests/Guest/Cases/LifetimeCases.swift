// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import BPFLinker
import CLibbpf
import Glibc

/// How long providers live. Freed programs are gone after a grace period: their going is polled for.
let lifetimeCases: [Case] = [
    Case("lifetime.importer_outlives_descriptor_and_pin") {
        let pin = "/sys/fs/bpf/guest_tests_lifetime"
        var (importer, provider, counts) = try importing(pinnedAt: pin)
        try expect(programExists(provider), "the provider is gone with its descriptor and its pin")
        try expectEqual(try importer?.run(), 42, "result with nothing but the importer left")
        try expectEqual(try element(Kind.packet, ofMap: counts), 2, "counted in the provider's map")
        importer = nil
        try poll("the provider is gone with its last importer") { !programExists(provider) }
    },
    Case("lifetime.last_of_several_importers") {
        var importers: [OwnedDescriptor]
        let id: UInt32
        do {
            let provider = try Raw.answering()
            id = provider.info.id
            importers = try (0..<3).map { _ in try Raw.importer(from: provider).load() }
        }
        while importers.count > 1 {
            let gone = try importers[0].opened().info.id
            importers.removeFirst()
            try poll("an importer is gone") { !programExists(gone) }
            try expect(programExists(id), "the provider is gone before its last importer")
            try expectEqual(try importers[0].run(), 42, "result of an importer that is left")
        }
        importers = []
        try poll("the provider is gone with its last importer") { !programExists(id) }
    },
    Case("lifetime.importer_attached_by_a_pinned_link") {
        let pin = "/sys/fs/bpf/guest_tests_link"
        let (id, counts): (UInt32, UInt32)
        do {
            let provider = try library("subprog")
            (id, counts) = (provider.info.id, try provider.map("counts"))
            var options = LoadOptions()
            options.attach = [.cgroup(try cgroupRoot())]
            options.pin = pin
            _ = try load("import_cgroup", from: [provider], options: options)
        }
        try sendToLoopback()
        try expectEqual(try element(Kind.packet, ofMap: counts), 3, "weight counted after all descriptors are closed")
        _ = try Unloader.unload(pin)
        try poll("the provider is gone with the link") { !programExists(id) }
    },
    Case("lifetime.chain_is_freed_from_the_top") {
        var top: OwnedDescriptor?
        var ids: [UInt32] = []
        do {
            let lower = try Raw.answering(8)
            var middle = try RawProgram.library("middle")
            let function = try middle.extern("answer")
            middle.slots = [lower]
            try middle.add("pass", [.call(import: function), .exit])
            let upper = try Provider(try middle.load())
            ids = [lower.info.id, upper.info.id]
            top = try Raw.importer(of: "pass", from: upper).load()
        }
        try expect(ids.allSatisfy(programExists), "a program in the chain is gone")
        try expectEqual(try top?.run(), 8, "result through two programs that nothing else holds")
        top = nil
        try poll("both providers are gone") { !ids.contains(where: programExists) }
    },
    // Each fails in another phase of loading, and each has taken the provider by then.
    Case("lifetime.failed_importers_leave_the_provider_alone") {
        let id: UInt32
        do {
            let provider = try Raw.answering()
            id = provider.info.id
            let good = try Raw.importer(from: provider)
            let failing: [(String, (inout RawProgram) throws -> Void)] = [
                ("a later slot is bad", { $0.slots.append(try OwnedDescriptor(open("/dev/null", O_RDONLY), "/dev/null")) }),
                ("the name is unknown", { $0.instructions[0].imm = try $0.extern("nothing") }),
                ("the code is unsafe", { $0.instructions.insert(.load(0, 5, 0), at: 0) }),
                ("the stack is too small", { $0.instructions.insert(.store(10, -520, value: 0), at: 0) }),
                ("the log is too small", { $0.name = "bad name" }),
            ]
            for (what, spoil) in failing {
                var program = good
                try spoil(&program)
                do {
                    _ = try program.load()
                    throw Failure("accepted although \(what)")
                } catch is RawProgram.Refusal {}
                try expectEqual(try good.load().run(), 42, "result of a good importer after \(what)")
            }
        }
        try poll("the provider is gone when it is closed") { !programExists(id) }
    },
    Case("lifetime.provider_in_the_table_that_nothing_calls") {
        var program = RawProgram.nothing
        var id: UInt32 = 0
        var holder: OwnedDescriptor?
        do {
            let provider = try Raw.answering()
            id = provider.info.id
            program.slots = [provider, provider]
            holder = try program.load()
            program.slots = []
        }
        try expect(programExists(id), "the provider is gone, though a program has it in its table")
        try expectEqual(try holder?.run(), 0, "result")
        holder = nil
        try poll("the provider is gone with the program that had it") { !programExists(id) }
    },
    Case("lifetime.failed_load_of_an_object_leaves_nothing") {
        let provider = try library("subprog")
        let before = Census.take()
        try expectRefusal("cannot be called while holding a lock") { _ = try load("import_locked", from: [provider]) }
        try poll("what was made for the failed importer is gone") { Census.take() == before }
    },
    Case("lifetime.maps_of_the_provider_live_as_long") {
        let map: UInt32
        var importer: LoadedObject?
        do {
            let provider = try library("subprog")
            map = try provider.map("counts")
            importer = try load("import_socket", from: [provider])
        }
        try importer?.run()
        try expectEqual(try element(Kind.packet, ofMap: map), 2, "counted in a map that only the provider holds")
        importer = nil
        try poll("the map is gone with the last importer") { !Census.take().maps.contains(map) }
    },
    Case("lifetime.importers_that_come_and_go_on_two_cpus", cpus: 2) {
        let id: UInt32
        do {
            let provider = try Raw.answering(3)
            id = provider.info.id
            try concurrently(4) {
                for _ in 0..<25 { try expectEqual(try Raw.importer(from: provider).load().run(), 3, "result") }
            }
            try expect(programExists(id), "the provider is gone though it is open")
        }
        try poll("the provider is gone with its last importer") { !programExists(id) }
    },
    Case("lifetime.importer_in_a_program_array_of_its_provider") {
        // The provider's array holds its importer, which holds the provider: the array is emptied with its last user.
        var ids: [UInt32] = []
        do {
            let jumps = try makeMap(BPF_MAP_TYPE_PROG_ARRAY, valueSize: 4)
            var library = try RawProgram.library()
            library.instructions =
                [.copy(6, 1)] + bpf_insn.map(2, descriptor: jumps.number)
                + [.set(3, 0), .copy(1, 6), .helper(BPF_FUNC_tail_call), .set(0, 0), .exit]
            try library.add("answer", [.set(0, 42), .exit])
            let provider = try Provider(try library.load())
            let importer = try Raw.importer(from: provider).load()
            var key: Int32 = 0
            var value = importer.number
            try expect(bpf_map_update_elem(jumps.number, &key, &value, 0) == 0, "the array takes no importer")
            ids = [provider.info.id, try importer.opened().info.id]
            try expectEqual(try testRun(provider.number), 42, "the provider's entry function jumps to its importer")
        }
        try poll("provider and importer are gone") { !ids.contains(where: programExists) }
    },
]

/// Loads the library, pins it, imports from it, unpins and closes it.
private func importing(pinnedAt pin: String) throws -> (importer: LoadedObject?, provider: UInt32, counts: UInt32) {
    let provider = try library("subprog")
    try expect(bpf_obj_pin(provider.number, pin) == 0, "the library cannot be pinned")
    defer { unlink(pin) }
    return (try load("import_socket", from: [provider]), provider.info.id, try provider.map("counts"))
}
