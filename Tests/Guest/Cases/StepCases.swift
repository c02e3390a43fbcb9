// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import BPFLinker
import BPFObject
import Glibc
import TestFixtures

/// `enum place` of steps.bpf.c.
private enum Place {
    static let task: Int32 = 0
    static let scheduler: Int32 = 1
    static let xdp: Int32 = 2
    static let tc: Int32 = 3
    static let cgroup: Int32 = 4
}

/// One object with programs of many types, loaded step by step: what they share is there once.
let stepCases: [Case] = [
    Case("steps.programs_of_five_types_call_one_function", unblinded: true) {
        var options = LoadOptions()
        options.attach = [.section, .cgroup(try cgroupRoot()), .xdp("lo")]
        // libbpf has no link for traffic control; that program is run by hand below.
        let attached = try loadShared("steps", except: ["on_queue"], options: options)
        try renameTask()
        try sendToLoopback()
        let counts = try attached.map("counts")
        for place in [Place.task, Place.scheduler, Place.xdp, Place.cgroup] {
            try poll("place \(place) is counted") { try element(place, ofMap: counts) > 0 }
        }
        try expect(try element(ofMap: try attached.map("bss")) > 3, "the shared function counted in global data")
        try expectImports(attached, of: "record", by: ["on_rename", "on_switch", "on_frame", "on_arrival"])
        try expectEqual(try symbols("record"), 1, "symbols of the shared function")
    },
    Case("steps.imports_are_listed") {
        let loaded = try loadShared("steps")
        try expectEqual(
            loaded.programs.map(\.name), ["steps", "on_rename", "on_switch", "on_frame", "on_queue", "on_arrival"],
            "programs in the order of steps")
        var names = ImportNames()
        let imports = try names.imports(of: try loaded.program("on_queue").info)
        try expectEqual(
            Set(imports.map { $0.function ?? "" }), ["record", "record_twice", "length", "record_often"], "imports of on_queue")
        try expectEqual(Set(imports.map(\.providerName)), ["steps"], "their provider")
        try expectEqual(try loaded.program("on_arrival").info.imports.count, 2, "imports of on_arrival")
        try expectEqual(try loaded.program("steps").info.exports.count, 4, "exports of what is shared")
    },
    Case("steps.each_kind_of_program_is_verified_for_once", unblinded: true) {
        let loaded = try loadShared("steps")
        let provider = try loaded.program("steps").info
        let record = try require(loaded.plan.sharing.functions.first { $0.name == "record" }, "record is not shared").export.typeID
        let environments = provider.environments.filter { provider.exports[$0.export].typeID == record.value }
        try expectEqual(
            environments.map { "\($0.type)" }.filter { $0 != "sched_cls" }, ["kprobe", "tracepoint", "cgroup_skb"],
            "kinds of importers of record that the provider is none of")
        try expect(environments.allSatisfy { $0.error == 0 && $0.ownCodeLength == 0 }, "one image: \(environments)")
        try expect(provider.exportsSize > 0, "bytes kept for importers")
        var names = ImportNames()
        let imports = try names.imports(of: try loaded.program("on_frame").info)
        let environment = try require(imports.first { $0.function == "record_twice" }?.environment, "environment of on_frame's import")
        try expectEqual("\(environment.type)", "xdp", "what the import of on_frame was verified for")
    },
    Case("steps.contexts_of_three_types_in_one_function", unblinded: true) {
        var options = LoadOptions()
        options.attach = [.section]
        let loaded = try loadShared("steps_contexts", except: ["on_queue"], options: options)
        try expectEqual(loaded.plan.sharing.functions.map(\.name), ["bpf_subprog", "has_task"], "shared functions")
        try expectEqual(loaded.plan.sharing.providerType, "kprobe", "type of the provider")
        try renameTask()
        let counts = try loaded.map("bss")
        try poll("both programs count in the one function") {
            try element(ofMap: counts) > 0 && element(ofMap: counts, offset: 8) > 0
        }
        try expectEqual(try symbols("bpf_subprog"), 1, "images of the function")
    },
    Case("steps.what_no_program_can_do_for_another_is_copied", unblinded: true) {
        let loaded = try loadShared("steps_own")
        try expectEqual(loaded.plan.sharing.functions.map(\.name), ["record"], "shared functions")
        try expectEqual(try symbols("record"), 1, "images of what is shared")
        try expectEqual(try symbols("uses_storage"), 2, "copies of what is not")
    },
    Case("steps.probes_of_user_functions") {
        var options = LoadOptions()
        options.attach = [.section]
        let loaded = try loadShared("steps_probes", options: options)
        try expect(loaded.plan.isShared, "nothing is shared")
        try expectEqual(withExtendedLifetime(loaded) { probed(41) }, 42, "result of the probed function")
        try expectEqual(try element(ofMap: try loaded.map("bss")), 11, "counted at its entry and its return")
    },
    Case("steps.copies_do_the_same", unblinded: true) {
        var results: [[Int]] = []
        for shares in [true, false] {
            let loaded = try loadShared("steps", shares: shares)
            try expectEqual(loaded.plan.isShared, shares, "whether there is a provider")
            try expectEqual(try symbols("record"), shares ? 1 : 5, "symbols of the function")
            let codes = [try loaded.run("on_frame"), try loaded.run("on_queue"), try loaded.run("on_arrival")]
            let counts = try loaded.map("counts")
            results.append(
                codes.map(Int.init) + (try [Place.xdp, Place.tc, Place.cgroup].map { try element($0, ofMap: counts) })
                    + [try element(ofMap: try loaded.map("bss"))])
        }
        try expectEqual(results[0], results[1], "results, counts and global data of the shared and the copied functions")
        try expectEqual(Array(results[0].suffix(4)), [4, 5, 1, 10], "counts and global data")
    },
    Case("steps.what_the_kernel_refuses_is_copied") {
        let before = Census.take()
        let loaded = try loadShared("steps_refused")
        let sharing = loaded.plan.sharing
        try expectEqual(sharing.functions.map(\.name), ["record", "first_byte", "checksum"], "shared functions")
        try expectEqual(sharing.importers, ["on_rename", "on_switch", "on_frame", "on_queue"], "programs that import")
        // Valid in no type that could have all.
        try expectRefused("peek", sharing, by: ["on_rename", "on_switch", "on_queue"], "bpf_probe_read")
        // Valid in the programs of one type and not in those of another.
        try expectRefused("checksum", sharing, by: ["on_rename"], "bpf_csum_diff")
        try expectRefused("checksum", sharing, by: ["on_rename"], "it is not valid in programs of this kind")
        try expectEqual(try loaded.run("on_queue"), 1, "result of a program that shares")
        try expectEqual(try element(ofMap: try loaded.map("bss")), 1, "counted in the common data")
        try poll("nothing is left of the attempts before") {
            let now = Census.take()
            return now.programs.count == before.programs.count + loaded.programs.count
                && now.maps.count == before.maps.count + loaded.maps.count && now.types.count == before.types.count + 1
        }
    },
    Case("steps.a_step_that_fails_undoes_all") {
        let before = Census.take()
        let pin = "/sys/fs/bpf/guest_tests_steps"
        var options = LoadOptions()
        options.pin = pin
        try expectRefusal("R1 invalid mem access 'scalar'") { _ = try loadShared("steps_broken", options: options) }
        try expect(access(pin, F_OK) != 0, "a pin is left")
        try poll("everything is undone") { Census.take() == before }
    },
    Case("steps.an_attachment_that_fails_undoes_all") {
        let before = Census.take()
        var options = LoadOptions()
        options.attach = [.section, .cgroup("/nonexistent"), .xdp("lo")]
        do {
            _ = try loadShared("steps", except: ["on_queue"], options: options)
            throw Failure("the programs were attached")
        } catch let error as KernelError {
            try expectEqual(error.code, .attach, "code of the error")
        }
        try poll("everything is undone") { Census.take() == before }
    },
    Case("steps.pins_of_all_steps") {
        let pin = "/sys/fs/bpf/guest_tests_steps"
        let counts: UInt32
        do {
            var options = LoadOptions()
            options.pin = pin
            options.attach = [.cgroup(try cgroupRoot()), .xdp("lo")]
            let loaded = try loadShared("steps", only: ["on_frame", "on_arrival"], options: options)
            counts = try loaded.map("counts")
        }
        try sendToLoopback()
        try poll("the pinned programs count") { try element(Place.cgroup, ofMap: counts) > 0 }
        let unloaded = try Unloader.unload(pin)
        try expectEqual(Set(unloaded.map(\.name)), ["steps", "on_frame", "on_arrival"], "pins of the steps")
        try expectEqual(unloaded.flatMap(\.importers).count, 0, "importers that are left")
    },
    Case("steps.what_is_shared_imports_from_a_library") {
        let provider = try library("subprog")
        let loaded = try loadShared("steps_import", from: provider)
        try expectEqual(loaded.plan.sharing.functions.map(\.name), ["scaled"], "shared functions")
        try expectEqual(try loaded.run("twofold"), 42, "result through the shared function and the import")
        try expectEqual(try loaded.program("steps_import").info.imports.map(\.programID), [provider.info.id], "imports of the provider")
        try expectEqual(try loaded.program("twofold").info.imports.count, 2, "imports of twofold")
    },
    Case("steps.programs_in_an_array_are_libbpfs") {
        let loaded = try loadShared("steps_stored")
        try expectEqual(try loaded.run("first"), 2, "result of the program that is jumped to")
        try expectEqual(try element(ofMap: try loaded.map("bss")), 3, "counted by both programs")
    },
    Case("stock.sharing_is_left_out") {
        let loaded = try loadShared("steps")
        try expect(!loaded.plan.isShared, "the plan has a provider")
        try expectEqual(try loaded.run("on_queue"), 0, "result")
        try expectEqual(try element(Place.tc, ofMap: try loaded.map("counts")), 5, "counted by copies")
    },
]

/// What the programs of steps_probes.bpf.c are attached to.
@_silgen_name("guest_tests_probed") @inline(never)
public func probed(_ value: Int32) -> Int32 { value + 1 }

/// Links and loads a fixture step by step.
private func loadShared(
    _ fixture: String, only: [String] = [], except: [String] = [], shares: Bool = true, from provider: Provider? = nil,
    options: LoadOptions = LoadOptions()
) throws -> LoadedObject {
    let object = try Object(bytes: try Fixture.bytes(fixture), name: "\(fixture).bpf.o")
    var linking = LinkOptions()
    linking.shares = shares
    linking.only = only
    linking.except = except
    let plan = try link(object, libraries: try provider.map { [try $0.snapshot()] } ?? [], options: linking)
    return try load(plan, from: provider.map { [$0.program] } ?? [], options: options)
}

private func expectImports(_ loaded: LoadedObject, of function: String, by programs: [String]) throws {
    let provider = try require(loaded.programs.first(where: \.isSynthetic), "no provider").info
    let export = try require(loaded.plan.sharing.functions.first { $0.name == function }, "\(function) is not shared").export
    for program in programs {
        let imports = try loaded.program(program).info.imports(export.typeID.value, from: provider.id)
        try expect(imports, "\(program) does not import \(function)")
    }
}

private func expectRefused(_ function: String, _ sharing: Sharing, by programs: [String], _ words: String) throws {
    let copy = sharing.copies.first { $0.name == function }
    guard case .refused(let lines)? = copy?.reason else {
        throw Failure("\(function) is not copied, or for another reason: \(sharing.copies)")
    }
    try expectEqual(copy?.programs, programs, "programs that have a copy of \(function)")
    try expect(lines.contains { $0.contains(words) }, "the kernel's words on \(function): \(lines)")
}

/// How many native functions of BPF programs have a name.
private func symbols(_ name: String) throws -> Int { try symbolAddresses(name).count }
