// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import BPFLinker
import BPFObject
import Glibc
import LoadComparison
import SystemPackage
import TestFixtures

/// Objects as one finds them in the wild (Tests/RealObjects): without imports they are what libbpf makes of them, and all that
/// they use works beside an import, too.
let realObjectCases: [Case] =
    [
        "arena", "arena_data", "callbacks", "core", "externs", "kfuncs", "ksyms", "linked", "loose", "maps", "network", "own_zeroes",
        "pinned", "replace", "sections", "streams", "struct_ops", "text", "typed", "untyped",
    ].map { name in
        Case("regression.real_\(name)_is_what_libbpf_makes_of_it", unblinded: true) { try compareWithLibbpf(name) }
    }
    + [
        "arena", "callbacks", "core", "externs", "kfuncs", "ksyms", "maps", "network", "own_zeroes", "pinned", "sections",
        "streams", "struct_ops", "typed",
    ].map { name in
        Case("real.\(name)_beside_an_import", unblinded: true) { try loadBesideImport(name) }
    }
    + [
        Case("regression.function_of_a_program_is_replaced") {
            let target = try load("replaceable")
            try expectEqual(try target.run(), 2, "result of the program's own function")
            let selector = ProgramSelector.id(target.programs[0].info.id)
            var options = LoadOptions()
            options.attach = [.replace(selector)]
            let plan = try link(try real("replace").object())
            do {
                let instead = try Loader.load(plan, providers: [], options: options)
                try expectEqual(try target.run(), 1, "result of the function in its place")
                withExtendedLifetime(instead) {}
            }
            try poll("the function is its own again") { try target.run() == 2 }
            let other = try load("plain")
            defer { withExtendedLifetime(other) {} }
            options.attach = [.replace(.id(other.programs[0].info.id))]
            do throws(KernelError) {
                _ = try Loader.load(plan, providers: [], options: options)
            } catch {
                try expect(error.message.hasPrefix("`replaced` of `id="), error.message)
                return
            }
            throw Failure("a function that is not there was replaced")
        }
    ]
    + ["core", "network", "sections", "streams", "typed"].map { name in
        Case("real.\(name)_is_attached_as_by_libbpf") { try attachAsLibbpf(name) }
    }

private func real(_ name: String, importing: Bool = false) throws -> RealObject {
    try require(
        RealObject.all(of: "clang", importing: importing).first { $0.name == name }, "\(name) is not in \(Fixture.directory).real")
}

// MARK: Without imports

private func compareWithLibbpf(_ name: String) throws {
    // libbpf's own pin of a map by its name, which lasts.
    defer { unlink("/sys/fs/bpf/bpflink_pinned") }
    let object = try real(name)
    if try compareWithLibbpf(object, only: nil) { return }
    // Refused as a whole: what remains of it program by program.
    for program in try object.object().entryPrograms { _ = try compareWithLibbpf(object, only: program.name) }
}

/// - Returns: whether libbpf alone loads it; if it does not, bpflink has refused it, too.
private func compareWithLibbpf(_ object: RealObject, only: String?) throws -> Bool {
    var options = LinkOptions()
    options.only = only.map { [$0] } ?? []
    let plan = try link(try object.object(), options: options)
    let what = "\(object.name)\(only.map { ".\($0)" } ?? "")"
    let alone: LibbpfAlone
    let again: LibbpfAlone
    do {
        alone = try object.alone(only: only)
        again = try object.alone(only: only)
    } catch let refusal as LibbpfAlone.Refusal {
        do throws(KernelError) {
            _ = try Loader.load(plan, providers: [], options: LoadOptions())
        } catch {
            if let number = error.errno { try expectEqual(number.rawValue, refusal.error, "error of \(what)") }
            print("\(what) is refused by both: \(error.message) \(error.notes)")
            return false
        }
        throw Failure("\(what) is loaded, but libbpf alone says \(refusal.log)")
    }
    let theirs = try alone.programFacts()
    let others = try again.programFacts()
    let loaded = try Loader.load(plan, providers: [], options: LoadOptions())
    try expectEqual(loaded.programs.map(\.name).sorted(), theirs.keys.sorted(), "programs of \(what)")
    for program in loaded.programs {
        let expected = try require(theirs[program.name], program.name)
        let unstable = try require(others[program.name], program.name).unstableImmediates(comparedTo: expected)
        try expectEqual(
            try ProgramFacts(program: program.descriptor).differences(from: expected, unstable: unstable), [], "differences of \(what)")
    }
    let maps = try alone.mapFacts()
    try expectEqual(loaded.maps.map(\.name).sorted(), maps.keys.sorted(), "maps of \(what)")
    for map in loaded.maps {
        try expectEqual(
            try withMap(map.id) { try MapFacts(map: $0).differences(from: try require(maps[map.name], map.name)) }, [],
            "differences of maps of \(what)")
    }
    return true
}

// MARK: With an import

/// The types of programs that may import; of others, and of programs that may sleep, the kernel says that they do not.
private let importers: Set = [
    "socket_filter", "kprobe", "tracepoint", "raw_tracepoint", "perf_event", "sched_cls", "sched_act", "xdp", "cgroup_skb",
    "cgroup_sock", "cgroup_sock_addr", "tracing",
]

private func obstacle(to entry: EntryProgram) throws -> String? {
    let section = String(entry.sectionName.drop { $0 == "?" })
    let type = try require(SectionType(section: section), "type of \(section)").program.description
    return importers.contains(type) ? nil : "programs of this type neither export nor import functions"
}

/// Programs that run, attached where their sections say, when a task is renamed, sends a packet to itself and is scheduled.
private let runByEvents: Set = [
    "on_switch", "on_wakeup", "on_rename", "on_call", "probe", "probe_return", "call", "call_return", "traced", "traced_short",
    "raw", "raw_short", "entry", "leave", "decide", "guard", "switched", "on_task",
]

/// Programs that BPF_PROG_TEST_RUN can run with a packet.
private let runByHand: Set = [
    "on_frame", "next_frame", "on_queue", "on_departure", "filter", "queue", "classify", "act", "frame", "fragments", "arrive",
    "depart", "either", "instead",
]

/// Loads an object whose programs call `touch()` of a library, and has them called where there is a way.
private func loadBesideImport(_ name: String) throws {
    let source = try real(name, importing: true).object()
    let library = try Provider(try Loader.load(try link(try real("touch").object()), providers: [], options: LoadOptions()))
    defer { unlink("/sys/fs/bpf/bpflink_pinned") }
    let touched = try library.map("bss")
    func load(attaching targets: [AttachTarget] = [], _ change: (inout LinkOptions) -> Void) throws -> LoadedObject {
        var choice = LinkOptions()
        change(&choice)
        var options = LoadOptions()
        options.attach = targets
        let plan = try link(source, libraries: [try library.snapshot()], options: choice)
        return try Loader.load(plan, providers: plan.providers.map { _ in library.program }, options: options)
    }

    for entry in source.entryPrograms {
        guard let words = try obstacle(to: entry) else { continue }
        // Left to itself, the linker copies what such a program may not import.
        try expectRefusal(words) {
            _ = try load {
                $0.only = [entry.name]
                $0.mode = .kernel
            }
        }
    }
    let programs = try source.entryPrograms.filter { try obstacle(to: $0) == nil }.map(\.name)
    if programs.isEmpty { return }
    let whole = try load { $0.only = programs }
    for program in whole.programs {
        try expectEqual(program.info.imports.map(\.programID), [library.info.id], "providers of \(program.name)")
    }

    var calls = 0
    for name in programs where runByHand.contains(name) || runByEvents.contains(name) {
        let before = try element(ofMap: touched)
        let isRunByHand = runByHand.contains(name)
        let loaded = try load(attaching: isRunByHand ? [] : [.section]) { $0.only = isRunByHand ? programs : [name] }
        if isRunByHand {
            try loaded.run(name)
        } else {
            try concurrently(1) { usleep(1000) }
            try renameTask()
            try sendToLoopback()
        }
        _ = getpid()
        try poll("\(name) has called the library") { try element(ofMap: touched) > before }
        calls += 1
    }
    try expect(calls > 0, "no program of \(source.name) was run")
}

// MARK: Attached

/// Attaches each program where its section says: by libbpf alone, by bpflink, and by bpflink where it has loaded the program
/// itself, so that libbpf knows nothing of its section.
private func attachAsLibbpf(_ name: String) throws {
    let plain = try real(name)
    let importing = try real(name, importing: true).object()
    let library = try Provider(try Loader.load(try link(try real("touch").object()), providers: [], options: LoadOptions()))
    var attached = 0
    for entry in try plain.object().entryPrograms {
        guard let alone = try? plain.alone(only: entry.name) else { continue }
        let expected = alone.attach(entry.name)
        var choice = LinkOptions()
        choice.only = [entry.name]
        var plans = [(plan: try link(try plain.object(), options: choice), providers: [OpenProgram]())]
        if try obstacle(to: entry) == nil {
            plans.append((try link(importing, libraries: [try library.snapshot()], options: choice), [library.program]))
        }
        for (plan, providers) in plans {
            var options = LoadOptions()
            options.attach = [.section]
            let what = "\(entry.sectionName)\(providers.isEmpty ? "" : " with an import")"
            let result = Result { () throws(KernelError) in try Loader.load(plan, providers: providers, options: options) }
            switch result {
            case .success(let loaded):
                try expectEqual(expected, 0, "what libbpf says of \(what), which bpflink attaches")
                try expectEqual(loaded.programs[0].attachments.count, 1, "attachments of \(what)")
                attached += 1
            case .failure(let error):
                try expect(error.code == .attach && expected != 0, "\(what) is attached by libbpf (\(expected)): \(words(of: error))")
            }
        }
    }
    try expect(attached > 0 || ["network", "streams"].contains(name), "no program of \(name) was attached")
}
