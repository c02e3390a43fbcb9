// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import BPFLinker
import BPFObject
import Glibc
import TestFixtures

/// `auto` on a kernel that has calls by FD and name: what the kernel does not take as an export is copied by importers, the rest is
/// called.
let refusedExportCases: [Case] = [
    Case("auto.refused_export_is_copied") {
        let loaded = try Mode.$current.withValue(.auto) { try loadGraph(["import_partly", "partly"]) }
        try expectPartlyShared(library: loaded[0], importer: loaded[1])
    },
    Case("auto.refused_export_of_a_loaded_library") {
        let library = try automatic("partly")
        try expectPartlyShared(library: library, importer: try automatic("import_partly", from: [try Provider(library)]))
    },
    Case("auto.kernel_mode_refuses_the_library") {
        let before = Census.take()
        do {
            _ = try library("partly")
            throw Failure("it was loaded")
        } catch let error as KernelError {
            try expect(words(of: error).contains("invalid mem access 'mem_or_null'"), "the words are: \(words(of: error))")
            try expectEqual(
                error.help.last, "`--mode auto` exports the rest of the library, and importers have a copy of `difference`", "help")
        }
        try poll("everything is undone") { Census.take() == before }
        // What was left to be copied cannot be called.
        let provider = try Provider(automatic("partly"))
        do {
            _ = try load("import_partly", from: [provider])
            throw Failure("it was linked")
        } catch let errors as LinkErrors {
            let names = errors.errors.map { error -> String in
                guard case .notCallable(let wanted, _) = error else { return "\(error)" }
                return wanted.name
            }
            try expectEqual(names, ["difference", "redirected"], "what cannot be called")
        }
    },
    Case("auto.library_of_which_nothing_is_exported") {
        let library = try automatic("broken_library")
        try expectEqual(library.programs[0].info.exports.count, 0, "exports")
        try expectEqual(library.offered(by: library.programs[0]).map(\.isCallable), [false], "what can be copied only")
        let provider = try Provider(library)
        try expectRefusal("invalid mem access 'scalar'") { _ = try automatic("import_broken", from: [provider]) }
    },
    Case("auto.library_that_carries_no_object_is_refused") {
        var options = LoadOptions()
        options.carriesObject = false
        do {
            _ = try automatic("partly", options: options)
            throw Failure("it was loaded")
        } catch let error as KernelError {
            try expectEqual(
                error.notes.last,
                "`difference` cannot be left to be copied: the library, or one that it imports from, carries no object", "last note")
        }
    },
    Case("auto.program_that_can_export_nothing") {
        var options = LoadOptions()
        options.exports = true
        let provider = try automatic("unlinkable", options: options)
        let operation = try provider.program("on_connection")
        try expectEqual(operation.info.exports.count, 0, "exports of a program of the type")
        try expectEqual(provider.offered(by: operation).map(\.name), ["next"], "what can be copied")
        try expectEqual(provider.offered(by: try provider.program("on_queue")).map(\.isCallable), [true], "what the other exports")
        let refusal = try require(provider.plan.refusals.exporters["on_connection"], "no words of the kernel's")
        try expect(
            refusal.contains { $0.contains("programs of this type neither export nor import functions") }, "the words are \(refusal)")
        let own = try OpenProgram.open(.id(operation.info.id))
        let other = try Provider(automatic("partly", entry: "tc"))
        var linking = LinkOptions()
        linking.only = ["on_queue"]
        let plan = try link(
            Object(bytes: try Fixture.bytes("import_partly"), name: "import_partly.bpf.o"),
            imports: [ImportRequest(name: "next", provider: try own.providerSnapshot(namedAs: .id(operation.info.id)))],
            libraries: [try other.snapshot()], options: linking)
        let importer = try load(plan, from: [own, other.program], options: LoadOptions())
        try expectEqual(try importer.run("on_queue"), 9, "result")
        try expectEqual(try element(ofMap: try provider.map("bss")), 1, "counted in the data of the program that exports nothing")
    },
    Case("auto.what_is_said_of_refused_exports") {
        let pin = "/sys/fs/bpf/guest_tests_partly"
        let fixtures = String(cString: getenv("BPFLINK_FIXTURES"))
        let load = ["load", "\(fixtures)/partly.bpf.o"]
        let words = try Tool.run(load, stream: 2)
        for part in [
            "note: `difference` is not exported: the kernel refuses it\n", "\nnote: R1 invalid mem access 'mem_or_null'\n",
            "note: `redirected` is not exported: the kernel refuses it\nnote: program of this type cannot use helper bpf_redirect#23\n",
            "\nnote: it is kept to be verified with importers: each program that calls it verifies it anew, ",
            "\nhelp: `--mode kernel` refuses the library\n",
            "\nhelp: `--type TYPE` loads it as a program of another type, which may do that: kprobe, tc, …\n",
        ] { try expect(words.contains(part), "no `\(part)` in:\n\(words)") }
        let offered = """
              exports int next(int value)
              exports int distance(int from, int to)
              offers the body of int difference(const struct pair *pair)
              offers the body of int redirected(int interface)

            """
        let loaded = try Tool.run(load + ["--pin", pin])
        defer { unlink(pin) }
        try expect(loaded.contains(offered), "it was loaded as:\n\(loaded)")
        let list = try Tool.run("list")
        try expect(list.contains(offered), "the list is:\n\(list)")
        let json = try Tool.run("list", "-j")
        try expect(
            json.contains("{\"name\":\"difference\",\"prototype\":\"int difference(const struct pair *pair)\",\"verify\":\"chain\"}"),
            "the list is:\n\(json)")
        let header = try Tool.run("header", "pinned=\(pin)")
        for function in ["next(int value)", "difference(const struct pair *pair)"] {
            try expect(header.contains("\nextern int \(function);\n"), "no \(function) in:\n\(header)")
        }
        let importer = try Tool.run("load", "\(fixtures)/import_partly.bpf.o", "--only", "filter", "--library", "pinned=\(pin)")
        try expect(
            importer.contains("\n  imports difference -> the body of `int difference(const struct pair *pair)` of pinned=\(pin) (partly, id "),
            "it was loaded as:\n\(importer)")
    },
]

/// What comes of partly.bpf.c and import_partly.bpf.c.
private func expectPartlyShared(library: LoadedObject, importer: LoadedObject) throws {
    let offered = library.offered(by: library.programs[0])
    try expectEqual(offered.filter(\.isCallable).map(\.name), ["next", "distance"], "exports")
    try expectEqual(offered.filter { !$0.isCallable }.map(\.name), ["difference", "redirected"], "what can be copied only")
    try expectEqual(try importer.program("filter").info.imports.count, 2, "imports of a program with one copy")
    try expectEqual(try importer.program("on_queue").info.imports.count, 1, "imports of another")
    try expectEqual(try importer.run("filter"), 10, "result of two calls and a copy")
    try expectEqual(try element(ofMap: try library.map("bss")), 21, "counted in the library's data, by calls and by a copy")
    try expectEqual(try importer.run("on_queue"), 9, "result of a call and a copy")
    try expectEqual(try element(ofMap: try library.map("bss")), 122, "counted by all")
}

/// A fixture, linked and loaded as `auto` does it.
private func automatic(
    _ fixture: String, only: [String] = [], from providers: [Provider] = [], entry: String = "socket",
    options: LoadOptions = LoadOptions()
) throws -> LoadedObject {
    try Mode.$current.withValue(.auto) { try load(fixture, only: only, from: providers, entry: entry, options: options) }
}
