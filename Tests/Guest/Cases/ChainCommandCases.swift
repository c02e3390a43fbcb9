// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLink
import Glibc
import TestFixtures

/// Full-chain imports as bpflink makes them: functions that are kept by their provider and verified with each importer.
let chainCommandCases: [Case] =
    chainOnlyCases
    // Cases about importing in general again: the same objects, the same events, the same results and contents of maps; and the same
    // attempts to have a function do what its caller may not.
    + (callCases + argumentCases + graphCases + powerCases + runContextCases + attachFactCases + packetCases + sleepableCases + lifetimeCases)
    .filter { !ofKernelModeOnly.contains($0.name) && !ofContracts.contains($0.name) }.map { original in
        Case("chain.\(original.name)", cpus: original.cpus, unblinded: original.unblinded) {
            try Mode.$verification.withValue(.chain) { try original.body() }
        }
    }

/// Cases of what a contract adds: environments, checks at the call, code of the provider for all.
private let ofContracts: Set = [
    "run_context.stack_and_output_of_each_type", "packets.refuse.type_that_only_reads",
    "packets.refuse.memory_that_the_function_changes_itself", "sleepable.importer_of_a_provider_that_is_not", "sleepable.plain_function",
    "sleepable.refuse.call_in_an_rcu_section", "sleepable.refuse.deferred_work_of_a_program_that_is_not",
    "lifetime.failed_load_of_an_object_leaves_nothing",
]

private let chainOnlyCases: [Case] = [
    Case("chain.the_seed_without_null_checks", unblinded: true) {
        let library = try loadLibrary()
        defer { unlink(pin) }
        var request = try importers(["on_rename", "on_rename_too", "on_switch", "on_switch_too", "on_arrival", "on_arrival_too"])
        request.loading.attach = [.section, .cgroup(try cgroupRoot())]
        let loaded = try request.plan().load()[0]
        try renameTask()
        try sendToLoopback()
        let seen = try library.map("bss")
        for kind in [Caller.rename, Caller.switch, Caller.arrival] {
            try poll("contexts of kind \(kind) are seen by both programs") { try element(ofMap: seen, offset: 8 * kind) >= 2 }
        }
        var images: [[UInt64]] = []
        for type in ["on_rename", "on_switch", "on_arrival"] {
            let pair = try [type, type + "_too"].map { name -> ProgramInfo.Image in
                let info = try loaded.program(name).info
                try expectEqual(info.imports.map(\.verification), [.chain], "how the import of \(name) was verified")
                let image = try require(info.imports[0].image, "\(name) runs no image")
                try expectEqual(image.programs, 2, "programs that have the image of \(name)")
                let program = try OpenProgram.open(.id(info.id))
                try expectEqual(
                    try directCalls(in: program, to: try require(image.address, "address")), 1, "calls of the image in \(name)")
                return image
            }
            try expectEqual(pair[0], pair[1], "images of \(type) and its twin")
            images.append(pair.compactMap(\.address))
        }
        // What cannot happen in a kind of program is not in its code: each has an image of its own.
        try expectEqual(Set(images.flatMap { $0 }).count, 3, "images")
        try expectEqual(Set(try symbolAddresses("bpf_subprog")), Set(images.flatMap { $0 }), "symbols of the function")
        withExtendedLifetime(loaded) {}
    },
    Case("chain.reports_tell_which_image_is_called", unblinded: true) {
        _ = try loadLibrary()
        defer { _ = try? Unloader.unload(pin) }
        let directory = pin + "_importers"
        defer { _ = try? Unloader.unload(directory) }
        let words = try load("import_chain", "--only", "on_rename,on_rename_too,on_switch", "--pin", directory)
        let image = #/at 0x[0-9a-f]+ \([0-9]+ bytes, (\d) programs?\)/#
        let imports = words.split(separator: "\n").filter { $0.hasPrefix("  imports bpf_subprog -> the body of `void bpf_subprog(int kind, ") }
        let places = try imports.map { try require($0.firstMatch(of: image), "no image in \($0)") }
        try expectEqual(places.map(\.output.1), ["2", "2", "1"], "programs that have the images, in:\n\(words)")
        try expectEqual(places[0].output.0, places[1].output.0, "images of two programs of one type")
        let id = try OpenProgram.open(.pinned(pin)).info.id
        let list = try Tool.run("list")
        try expect(
            list.contains("  imports bpf_subprog from id \(id) (chain), verified with this program, \(places[0].output.0)\n"),
            "the list is:\n\(list)")
        let tree = try Tool.run("tree")
        try expect(tree.contains("on_rename_too  calls bpf_subprog (verified with it)\n"), "the tree is:\n\(tree)")
        try expect(tree.contains("  runs bpf_subprog \(places[0].output.0)\n"), "the tree is:\n\(tree)")
        let dot = try Tool.run("tree", "--dot")
        try expect(dot.contains(" -> \(id) [label=\"bpf_subprog (verified with it)\"];"), "the graph is:\n\(dot)")
        try expect(dot.contains("\\noffers the body of bpf_subprog\\n"), "the graph is:\n\(dot)")
        let json = try Tool.run("list", "-j")
        try expectEqual(json.components("\"verify\":\"chain\",\"image\":{\"address\":\"0x"), 3, "images in:\n\(json)")
    },
    Case("chain.who_offers_what_is_known_to_other_processes") {
        let library = try loadLibrary()
        defer { unlink(pin) }
        let provider = try OpenProgram.open(.pinned(pin))
        // added() is kept as well, and offered to nobody.
        try expectEqual(provider.info.bodies.count, library.plan.object.functions.count, "functions that are kept")
        let offers = try provider.providerSnapshot(namedAs: .pinned(pin)).exports
        try expectEqual(offers.map(\.name), ["doubled", "bpf_subprog", "count_at"], "functions that are offered")
        try expectEqual(offers.map(\.verification), [.once, .chain, .chain], "how they are verified")
        try expect(offers.allSatisfy(\.hasBody), "an export is kept, too")
    },
    Case("chain.static_functions_memory_and_inner_calls", unblinded: true) {
        _ = try loadLibrary()
        defer { unlink(pin) }
        var request = try importers(["filter"])
        let loaded = try request.plan().load()[0]
        try expectEqual(try loaded.run("filter"), 4 + 7 + 10, "result")
        try expectEqual(
            try loaded.program("filter").info.imports.map(\.verification).sorted { $0.rawValue < $1.rawValue }, [.chain, .once],
            "how imports are verified")
        request.linking.verification = .chain
        let chained = try request.plan().load()[0]
        try expectEqual(try chained.program("filter").info.imports.map(\.verification), [.chain, .chain], "how all are verified")
        try expectEqual(try chained.run("filter"), 4 + 7 + 10, "result with all of it in the chain")
        let marked = try importers(["filter"], of: "import_marked").plan().load()[0]
        try expectEqual(try marked.program("filter").info.imports.map(\.verification), [.chain], "an import that is marked")
        try expectEqual(try marked.run("filter"), 8, "its result")
        try withExtendedLifetime(loaded) {
            try expectEqual(try symbolAddresses("count_at").count, 1, "images of a function that two programs call alike")
        }
    },
    Case("chain.wrong_combination_is_refused_where_it_is_unsafe") {
        let before = Census.take()
        do {
            _ = try loadLibrary()
            defer { unlink(pin) }
            let request = try importers(["wrong"])
            try expect(try request.plan().graph.steps[0].plan.needsBodies, "the import is not one of a body")
            let error = try refusal(request)
            try expectEqual(error.program, "wrong", "the program")
            let place = try require(error.verifierLog?.place, "no place in \(words(of: error))")
            try expect(place.hasPrefix("chain_body.h:") && place.hasSuffix(": seen[KIND_RENAME] += ctx1->rip != 0;"), "the place is \(place)")
            try expect(error.notes.count >= 2, "notes: \(error.notes)")
            try expect(error.notes[0].contains(" +128)"), "the instruction is \(error.notes[0])")
            try expect(error.notes[1].hasSuffix("invalid mem access 'scalar'"), "the reason is \(error.notes[1])")
            // As a copy it is no less unsafe, and nobody is told twice.
            try expect(!error.notes.contains { $0.contains("is refused as well") }, "notes: \(error.notes)")
            var copied = request
            copied.linking.mode = .copy
            try expectEqual(try refusal(copied).notes[1], error.notes[1], "the reason that a copy is refused for")
        }
        try poll("everything is undone") { Census.take() == before }
    },
    Case("chain.verify_once_takes_contracts_only") {
        _ = try loadLibrary()
        defer { unlink(pin) }
        var request = try importers(["on_rename"])
        request.linking.verification = .once
        do {
            _ = try request.plan()
            throw Failure("it was linked")
        } catch let errors as GraphErrors {
            let names = errors.errors.map { error -> String in
                guard case .notVerifiable(let wanted, .once, _) = error.error else { return "\(error)" }
                return wanted.name
            }
            try expectEqual(names, ["bpf_subprog", "count_at"], "what cannot be verified once")
        }
        // The contract is there, and the kernel does not take the import: nothing else is tried.
        let choosy = try loadLibrary("choosy", type: "tc")
        defer { unlink(pin + "_choosy") }
        var strict = try importers(["on_arrival"], of: "import_choosy", from: pin + "_choosy")
        strict.linking.verification = .once
        let error = try refusal(strict)
        let words = "cannot import redirect_if() from prog \(choosy.programs[0].info.id) (choosy): it is not valid in programs of this kind"
        try expect(error.notes.contains(words), "the words are \(error.notes)")
    },
    Case("chain.refused_import_is_verified_with_the_program", unblinded: true) {
        let library = try loadLibrary("choosy", type: "tc")
        let path = pin + "_choosy"
        defer { unlink(path) }
        let importer = try importers(["on_queue", "on_arrival"], of: "import_choosy", from: path).plan().load()[0]
        func verified(_ program: String) throws -> [String] {
            try importer.program(program).info.imports.map { "\($0.verification)" }.sorted()
        }
        try expectEqual(try verified("on_queue"), ["once", "once"], "imports of a program that may have both")
        try expectEqual(try verified("on_arrival"), ["chain", "once"], "imports of a program that may have one")
        try expectEqual(try importer.run("on_queue"), 9, "result of calls")
        try expectEqual(try importer.run("on_arrival"), 1, "result of what was verified with the program")
        try expectEqual(try element(ofMap: try library.map("bss")), 22, "counted by both in the provider's data")
        try expect(importer.plan.copies.copied.isEmpty, "something is copied")
    },
    Case("chain.refused_export_is_kept") {
        let library = try loadLibrary("partly")
        let path = pin + "_partly"
        defer { unlink(path) }
        let offers = library.offered(by: library.programs[0])
        try expectEqual(offers.map(\.verification), [.once, .once, .chain, .chain], "how functions are offered")
        let own = try OpenProgram.open(.pinned(path)).exports()
        try expectEqual(own.filter { !$0.isCallable }.map(\.name), ["difference", "redirected"], "what other processes find")
        let importer = try importers([], of: "import_partly", from: path).plan().load()[0]
        try expectEqual(try importer.program("filter").info.imports.count, 3, "imports")
        try expectEqual(try importer.run("filter"), 10, "result")
        try expectEqual(try importer.run("on_queue"), 9, "result of another")
        try expectEqual(try element(ofMap: try library.map("bss")), 122, "counted in the library's data")
    },
    Case("chain.refused_export_of_an_object_of_the_same_load") {
        let objects = try ["import_partly", "partly"].map { try Object(bytes: Fixture.bytes($0), name: "\($0).bpf.o") }
        let loaded = try LoadRequest(objects).plan().load()
        let ways = Dictionary(loaded[1].plan.bindings.map { ($0.import.name, $0.verification) }, uniquingKeysWith: { a, _ in a })
        try expectEqual(ways, ["next": .once, "difference": .chain, "distance": .once, "redirected": .chain], "how imports are verified")
        try expectEqual([try loaded[1].run("filter"), try loaded[1].run("on_queue")], [10, 9], "results")
        try expectEqual(try element(ofMap: try loaded[0].map("bss")), 122, "counted in the library's data")
    },
    Case("chain.program_that_offers_what_it_is_verified_with") {
        var request = LoadRequest([try Object(bytes: Fixture.bytes("steps_chain"), name: "steps_chain.bpf.o")])
        request.linking.only = ["on_arrival"]
        request.loading.exports = true
        request.loading.pin = pin
        let provider = try request.plan().load()[0]
        defer { unlink(pin) }
        try expectEqual(try OpenProgram.open(.pinned(pin)).exports().map(\.verification), [.chain], "what it offers")
        let importer = try importers(["on_arrival_too"]).plan().load()[0]
        try expectEqual([try provider.run("on_arrival"), try importer.run("on_arrival_too")], [1, 1], "results")
        try expectEqual(try element(ofMap: try provider.map("bss"), offset: 8 * Caller.arrival), 2, "counted by both")
    },
    Case("chain.what_the_provider_does_not_keep_is_copied") {
        let library = try loadLibrary("choosy", type: "tc", keeps: false)
        let path = pin + "_choosy"
        defer { unlink(path) }
        let provider = try OpenProgram.open(.pinned(path))
        let real = try provider.providerSnapshot(namedAs: .pinned(path))
        let claiming = ProviderSnapshot(
            reference: real.reference, id: real.id, name: real.name, tag: real.tag, type: real.type,
            exports: real.exports.map { ProviderExport(prototype: $0.prototype, hasBody: true) }, carried: real.carried)
        var options = LinkOptions()
        options.only = ["on_arrival"]
        let object = try Object(bytes: Fixture.bytes("import_choosy"), name: "import_choosy.bpf.o")
        let importer = try Loader.load(
            try link(object, libraries: [claiming], options: options), providers: [provider], options: LoadOptions())
        let refused = try require(importer.plan.bindings.first { !$0.refusals.isEmpty }, "nothing was refused")
        try expectEqual(refused.verification, nil, "it is copied")
        let words =
            "cannot import redirect_if() from prog \(real.id) (choosy): the program was not loaded with BPF_F_KEEP_SUBPROGS"
        try expect(refused.refusals[0].words.contains(words), "the words are \(refused.refusals[0].words)")
        try expectEqual(try importer.run("on_arrival"), 1, "result")
        try expectEqual(try element(ofMap: try library.map("bss")), 11, "counted by a call and a copy")
    },
    Case("chain.programs_of_one_object", unblinded: true) {
        var request = LoadRequest([try Object(bytes: Fixture.bytes("steps_chain"), name: "steps_chain.bpf.o")])
        request.loading.attach = [.section, .cgroup(try cgroupRoot())]
        let loaded = try request.plan().load()[0]
        try expectEqual(loaded.plan.sharing.functions.map(\.isBody), [true], "what is shared is kept only")
        try renameTask()
        try sendToLoopback()
        let seen = try loaded.map("bss")
        for kind in [Caller.rename, Caller.switch, Caller.arrival] {
            try poll("contexts of kind \(kind) are seen") { try element(ofMap: seen, offset: 8 * kind) > 0 }
        }
        let images = try loaded.plan.programs.map { try loaded.program($0.name).info.imports.first?.image }
        try expectEqual(images.map { $0?.programs }, Array(repeating: 2, count: 6), "programs that have the images")
        try expectEqual([images[0], images[2], images[4]], [images[1], images[3], images[5]], "images of two programs of one type")
        withExtendedLifetime(loaded) {}
    },
    Case("chain.what_no_contract_can_say_in_one_object") {
        var request = LoadRequest([try Object(bytes: Fixture.bytes("steps_trusting"), name: "steps_trusting.bpf.o")])
        let loaded = try request.plan().load()[0]
        try expectEqual(loaded.plan.sharing.functions.map(\.name), ["first", "is_there"], "shared functions")
        let reasons = loaded.plan.sharing.functions[0].chained.map(\.reason)
        guard case .refused(let words)? = reasons.first, reasons.count == 1 else { throw Failure("the reasons are \(reasons)") }
        try expect(words.contains { $0.contains("invalid mem access 'mem_or_null'") }, "the kernel's words are \(words)")
        try expectEqual([try loaded.run("on_queue"), try loaded.run("filter")], [8, 8], "results")
        try expectEqual(try element(ofMap: try loaded.map("bss")), 2, "counted by both")
        request.linking.shares = false
        let alone = try refusal(request)
        try expect(alone.notes.contains("Caller passes invalid args into func#2 ('is_there')"), "libbpf alone: \(alone.notes)")
    },
    Case("chain.everything_that_code_refers_to") {
        var request = LoadRequest([try Object(bytes: Fixture.bytes("rich"), name: "rich.bpf.o")])
        request.loading.pin = pin
        let provider = try Provider(try request.plan().load()[0])
        defer { unlink(pin) }
        var importer = try importers([], of: "import_rich")
        importer.linking.verification = .chain
        try expectRichResults(of: try importer.plan().load()[0], from: provider)
    },
    Case("chain.images_are_shared_by_programs_that_ask_for_it", unblinded: true) {
        func images(sharing: Bool) throws -> Int {
            var request = LoadRequest([try Object(bytes: Fixture.bytes("steps"), name: "steps.bpf.o")])
            request.linking.shares = false
            request.loading.sharesImages = sharing
            let loaded = try request.plan().load()
            return try withExtendedLifetime(loaded) { try symbolAddresses("record").count }
        }
        try expectEqual(try images(sharing: false), 5, "images of a function in five programs")
        try poll("they are gone") { try symbolAddresses("record").isEmpty }
        try expectEqual(try images(sharing: true), 1, "images where programs share them")
    },
]

/// `enum kind` of chain.h.
private enum Caller {
    static let rename = 1
    static let `switch` = 2
    static let arrival = 3
}

private let pin = "/sys/fs/bpf/guest_tests_chain"

private func fixture(_ name: String) throws -> String {
    "\(String(cString: try require(getenv("BPFLINK_FIXTURES"), "no fixtures")))/\(name).bpf.o"
}

/// Runs `bpflink load` with a fixture, importing from what is pinned.
private func load(_ name: String, _ words: String...) throws -> String {
    try Tool.run(["load", try fixture(name), "--library", "pinned=\(pin)"] + words)
}

/// Loads and pins a library as `auto` does.
///
/// - Parameter keeps: whether it is to keep its functions; nil goes by the kernel.
private func loadLibrary(_ name: String = "chain", type: String = "socket", keeps: Bool? = nil) throws -> LoadedObject {
    let object = try Object(bytes: Fixture.bytes(name), name: "\(name).bpf.o")
    var loading = LoadOptions()
    loading.pin = name == "chain" ? pin : "\(pin)_\(name)"
    if keeps == false {
        return try Loader.load(try link(object, options: LinkOptions(entrySection: type)), providers: [], options: loading)
    }
    var request = LoadRequest([object])
    request.linking.entrySection = type
    request.loading = loading
    return try request.plan().load()[0]
}

/// Programs of a fixture that import from what is pinned.
///
/// - Parameter programs: by name; none are all.
private func importers(_ programs: [String], of name: String = "import_chain", from path: String = pin) throws -> LoadRequest {
    var request = LoadRequest([try Object(bytes: Fixture.bytes(name), name: "\(name).bpf.o")])
    request.libraries = [.pinned(path)]
    request.linking.only = programs
    return request
}

/// Why the kernel refuses what is asked for.
private func refusal(_ request: LoadRequest) throws -> KernelError {
    do {
        _ = try request.plan().load()
        throw Failure("it was loaded")
    } catch let error as KernelError {
        return error
    }
}
