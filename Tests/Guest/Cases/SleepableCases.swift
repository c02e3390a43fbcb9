// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CLibbpf

/// Programs that may sleep, and functions that do.
let sleepableCases: [Case] = [
    Case("sleepable.importer_and_provider") {
        let providers = try ["sleepable", "inner"].map { try library($0, entry: "uprobe.s") }
        let importer = try loadSleepable(["on_entry"], from: providers)
        try expectEqual(withExtendedLifetime(importer) { probed(1) }, 2, "result of the probed function")
        let data = try importer.map("bss")
        let word = try element(ofMap: data)
        try expect(word > 4096, "the return address is told as \(word)")
        try expectEqual(try element(ofMap: data, offset: 8), 5, "counted in the inner map")
    },
    // The inner map is looked up under another kind of protection: the code is verified and kept apart.
    Case("sleepable.importer_of_a_provider_that_is_not") {
        let provider = try library("inner", entry: "uprobe")
        for (program, sum, environments) in [("on_entry_awake", 7, 0), ("on_entry_counting", 12, 1)] {
            let importer = try loadSleepable([program], from: [provider])
            try expectEqual(withExtendedLifetime(importer) { probed(1) }, 2, "result of the probed function")
            try expectEqual(try element(ofMap: try importer.map("bss"), offset: 8), sum, "count after \(program)")
            let now = try provider.current().environments
            try expectEqual(now.count, environments, "environments after \(program)")
            try expect(now.allSatisfy { $0.flags.contains(.sleepable) && $0.ownCodeLength > 0 }, "environments: \(now)")
        }
    },
    Case("sleepable.plain_function") {
        let provider = try Raw.answering()
        let program = try Raw.importer(from: provider, kind: .fentry.sleepable)
        let importer = try program.load()
        let link = try OwnedDescriptor(bpf_raw_tracepoint_open(nil, importer.number), "link")
        try withExtendedLifetime(link) { _ = try importer.run(packet: nil) }
        try expectEqual(try provider.current().environments.map(\.error), [0], "errors")
    },
    Case("sleepable.refuse.function_that_sleeps") {
        let provider = try library("sleepable", entry: "uprobe.s")
        for _ in 0..<2 {
            try expectRefusal(
                "bpf_copy_from_user", "cannot import user_word() from prog \(provider.info.id) (sleepable): it is not valid"
            ) { _ = try loadSleepable(["sleeps_without_leave"], from: [provider]) }
        }
    },
    Case("sleepable.refuse.call_in_an_rcu_section") {
        let provider = try library("inner", entry: "uprobe.s")
        try expectRefusal(
            "count_inner() of prog \(provider.info.id) (\(provider.info.name)) was verified for sleepable code, it is called in"
        ) { _ = try loadSleepable(["in_rcu_section"], from: [provider]) }
    },
    Case("sleepable.refuse.deferred_work_of_a_program_that_is_not") {
        let provider = try library("inner", entry: "tc")
        try expectRefusal(
            "(\(provider.info.name)) cannot be called from sleepable code, it was verified to run under RCU protection"
        ) {
            _ = try load("import_work", from: [provider])
        }
    },
    Case("sleepable.refuse.map_that_must_not_be_used_there") {
        let map = try makeMap(BPF_MAP_TYPE_STACK_TRACE, valueSize: 8 * 16)
        let provider = try Raw.exporting("look", slots: [map], bpf_insn.map(1, slot: 0) + [.set(0, 0), .exit])
        _ = try Raw.importer(of: "look", from: provider, kind: .kprobe).load()
        try expectRefusal(
            "Sleepable programs can only use array, hash, ringbuf and local storage maps",
            "it is not valid in programs of this kind"
        ) { _ = try Raw.importer(of: "look", from: provider, kind: .kprobe.sleepable).load() }
    },
]

private func loadSleepable(_ only: [String], from providers: [Provider]) throws -> LoadedObject {
    var options = LoadOptions()
    options.attach = [.section]
    return try load("import_sleepable", only: only, from: providers, options: options)
}
