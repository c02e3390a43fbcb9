// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CLibbpf
import Glibc

/// What the verifier notes of a program for those who attach and run it: importers bear what their imports require.
let attachFactCases: [Case] = [
    Case("facts.refuse.field_beyond_the_record_of_a_tracepoint") {
        let provider = try library("attach_facts", entry: "tracepoint")
        try expectNoAttachment("far_at_switch", from: provider)
        // The provider as a whole reads that far; this importer does not.
        let importer = try attach("near_at_switch", from: provider)
        let data = try importer.map("bss")
        try poll("a task switch is seen") { try element(ofMap: data) > 0 }
    },
    Case("facts.refuse.field_beyond_the_record_read_by_a_foreign_function") {
        for entry in ["socket", "tracepoint", "kprobe"] {
            let provider = try library("far_context", entry: entry)
            try expectNoAttachment("far_word_at_switch", from: provider)
            let importer = try attach("far_word_at_rename", from: provider)
            try withExtendedLifetime(importer) { try renameTask() }
            try expectEqual(try element(ofMap: try importer.map("bss")), 1, "result without a record")
        }
    },
    Case("facts.refuse.forced_result_of_a_function_that_does_not_allow_it") {
        let provider = try library("probe_facts", entry: "kprobe")
        try expectNoAttachment("force_at_rename", from: provider)
        let importer = try attach("argument_at_rename", from: provider)
        try withExtendedLifetime(importer) { try renameTask() }
        try expectEqual(try element(ofMap: try importer.map("bss")), 1, "result of the function that forces nothing")
    },
    Case("facts.forced_result_of_a_function_that_allows_it") {
        let before = getppid()
        try expect(before != 7, "the parent's number is the one that is to be forced")
        do {
            let importer = try attach("force_at_getppid", from: try library("probe_facts", entry: "kprobe"))
            try expectEqual(withExtendedLifetime(importer) { getppid() }, 7, "result of the system call")
        }
        try poll("the result is the kernel's again") { getppid() == before }
    },
    Case("facts.refuse.forced_result_in_a_program_array") {
        let provider = try library("probe_facts", entry: "kprobe")
        let importer = try load("import_facts", only: ["force_at_getppid", "argument_at_rename"], from: [provider])
        let jumps = try makeMap(BPF_MAP_TYPE_PROG_ARRAY, valueSize: 4)
        var key: Int32 = 0
        var program = try importer.program("force_at_getppid").descriptor
        try expectEqual(bpf_map_update_elem(jumps.number, &key, &program, 0), -EINVAL, "result of putting it there")
        program = try importer.program("argument_at_rename").descriptor
        try expectEqual(bpf_map_update_elem(jumps.number, &key, &program, 0), 0, "result of putting the other there")
        try expectEqual(bpf_map_delete_elem(jumps.number, &key), 0, "result of taking it out")
    },
    Case("facts.refuse.written_registers_of_a_kprobe") {
        try expectNoAttachment("change_at_rename", from: try library("probe_facts", entry: "kprobe"))
    },
    Case("facts.written_registers_of_a_uprobe") {
        let importer = try attach("change_at_probed", from: try library("probe_facts", entry: "kprobe"))
        try expectEqual(withExtendedLifetime(importer) { probed(1) }, 42, "result of the probed function, given 41")
    },
    // The network stack keeps its own in skb->cb; programs that use it see zeroes, and the stack its own again.
    Case("facts.control_block_is_lent") {
        let map = try makeMap()
        let provider = try Raw.exporting(
            "first_words", type: BPF_PROG_TYPE_CGROUP_SKB, takesContext: true, slots: [map],
            bpf_insn.mapValue(2, slot: 0)
                + [
                    .load32(3, 1, 48), .load32(4, 1, 52), .sum(3, 4), .load32(4, 1, 56), .sum(3, 4), .add(3, 1),
                    .store(2, 0, register: 3), .set(4, -1), .store32(1, 48, register: 4), .store32(1, 52, register: 4),
                    .set(0, 1), .exit,
                ])
        let importer = try Raw.importer(of: "first_words", from: provider, kind: .cgroupSkb, takesContext: true).load()
        let cgroup = try OwnedDescriptor(open(try cgroupRoot(), O_RDONLY), "cgroup")
        var options = bpf_link_create_opts()
        options.sz = MemoryLayout<bpf_link_create_opts>.size
        let link = try OwnedDescriptor(
            bpf_link_create(importer.number, cgroup.number, BPF_CGROUP_INET_INGRESS, &options), "link")
        try withExtendedLifetime(link) { try sendToLoopback() }
        try expectEqual(try element(ofMap: try mapID(map)), 1, "sum of three words, and 1")
    },
    Case("facts.refuse.writable_raw_tracepoint") {
        let provider = try Raw.answering()
        try expectRefusal("programs of this type neither export nor import functions") {
            _ = try Raw.importer(from: provider, type: BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE).load()
        }
    },
]

private func attach(_ program: String, from provider: Provider) throws -> LoadedObject {
    var options = LoadOptions()
    options.attach = [.section]
    return try load("import_facts", only: [program], from: [provider], options: options)
}

/// The program is loaded, but not attached.
private func expectNoAttachment(_ program: String, from provider: Provider) throws {
    _ = try load("import_facts", only: [program], from: [provider])
    do {
        _ = try attach(program, from: provider)
        throw Failure("\(program) was attached")
    } catch let error as KernelError {
        try expectEqual(error.code, .attach, "code of the error `\(error.message)`")
    }
}
