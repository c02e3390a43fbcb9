// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import BPFLinker
import BPFObject
import Glibc

/// `auto` on a kernel that has calls by FD and name: what the kernel refuses to one program is copied into it, the others call.
let refusedImportCases: [Case] = [
    Case("auto.refused_import_is_copied", unblinded: true) {
        let provider = try library("choosy", entry: "tc")
        let importer = try automatic(["on_queue", "on_arrival"], from: provider)
        try expectEqual(try importer.program("on_queue").info.imports.count, 2, "imports of a program that may have both")
        try expectEqual(try importer.program("on_arrival").info.imports.count, 1, "imports of a program that may have one")
        try expectEqual(try symbolAddresses("redirect_if").count, 2, "images of the function: the export and one copy")
        try expectEqual(try importer.run("on_queue"), 9, "result of calls")
        try expectEqual(try element(ofMap: try provider.map("bss")), 11, "counted by calls")
        try expectEqual(try importer.run("on_arrival"), 1, "result of a call and a copy")
        try expectEqual(try element(ofMap: try provider.map("bss")), 22, "counted by both in the provider's data")
        let copy = try require(importer.plan.bindings.first { !$0.refusals.isEmpty }, "nothing is copied")
        try expectEqual(copy.import.name, "redirect_if", "what is copied")
        try expectEqual(copy.refusals.map(\.programs), [["on_arrival"]], "programs that it was refused to")
        for words in ["program of this type cannot use helper bpf_redirect#23", "it is not valid in programs of this kind"] {
            try expect(copy.refusals[0].words.contains { $0.contains(words) }, "no `\(words)` among \(copy.refusals[0].words)")
        }
    },
    Case("auto.what_no_program_can_import_is_copied") {
        let provider = try library("choosy", entry: "tc")
        let importer = try automatic(["on_leaving"], from: provider)
        try expectEqual(try importer.run("on_leaving"), 8, "result")
        try expectEqual(try element(ofMap: try provider.map("bss")), 101, "counted in the provider's data")
    },
    Case("auto.copies_of_all_imports_need_no_provider") {
        var provider: Provider? = try library("choosy", entry: "tc")
        let id = try require(provider, "provider").info.id
        // The kernel says nothing of an import here: the program itself is wrong without what the copy tells of its results.
        let importer = try Mode.$current.withValue(.auto) { try load("trusts_result", from: [try require(provider, "provider")]) }
        try expectEqual(try importer.program("filter").info.imports.count, 0, "imports")
        provider = nil
        try poll("the provider is gone") { !programExists(id) }
        try expectEqual(try importer.run("filter"), 3, "result")
    },
    Case("auto.kernel_mode_copies_nothing") {
        let provider = try library("choosy", entry: "tc")
        try expectRefusal("cannot import redirect_if() from prog \(provider.info.id) (choosy)") {
            _ = try load("import_choosy", only: ["on_arrival"], from: [provider])
        }
    },
    Case("auto.provider_without_its_object_is_named") {
        var options = LoadOptions()
        options.exports = true
        options.carriesObject = false
        let provider = try Provider(load("choosy", entry: "tc", options: options))
        do {
            _ = try automatic(["on_arrival"], from: provider)
            throw Failure("it was loaded")
        } catch let error as KernelError {
            let last = error.notes.last ?? ""
            try expectEqual(
                last,
                "`redirect_if` cannot be copied instead: id=\(provider.info.id) (choosy, id \(provider.info.id)) does not carry its object",
                "last note")
        }
    },
    Case("auto.first_words_are_told_when_copies_are_refused_too") {
        let before = Census.take()
        do {
            let provider = try library("powers", entry: "tc")
            do {
                _ = try Mode.$current.withValue(.auto) { try load("import_powers", only: ["on_switch"], from: [provider]) }
                throw Failure("it was loaded")
            } catch let error as KernelError {
                let text = words(of: error)
                for words in [
                    "cannot import with_lock() from prog \(provider.info.id) (powers): it is not valid in programs of this kind",
                    "with a copy in its place `on_switch` is refused as well", "tracing progs cannot use bpf_spin_lock yet",
                ] {
                    try expect(text.contains(words), "no `\(words)` in:\n\(text)")
                }
            }
        }
        try poll("everything is undone") { Census.take() == before }
    },
    Case("auto.what_is_said_of_it") {
        let pin = "/sys/fs/bpf/guest_tests_choosy"
        let fixtures = String(cString: getenv("BPFLINK_FIXTURES"))
        let load = ["load", "\(fixtures)/import_choosy.bpf.o", "--only", "on_arrival", "--library", "pinned=\(pin)"]
        _ = try Tool.run("load", "\(fixtures)/choosy.bpf.o", "--type", "tc", "--pin", pin)
        defer { unlink(pin) }
        let plan = try Tool.run(load + ["--dry-run"])
        try expect(
            plan.contains("\n  verify with the program instead, should the kernel refuse: plain, redirect_if, leave\n"), "the plan is:\n\(plan)")
        let planned = try Tool.run(load + ["--dry-run", "-j"])
        try expectEqual(planned.components(",\"if_refused\":\"chain\"}"), 3, "imports that may be verified with the program in:\n\(planned)")

        let loaded = try Tool.run(load + ["-j"])
        try expect(
            loaded.contains("\"verify\":\"chain\",\"refused\":[\"program of this type cannot use helper bpf_redirect#23\",\"cannot import "),
            "the result is:\n\(loaded)")
        let words = try Tool.run(load, stream: 2)
        try expect(
            words.hasPrefix(
                """
                note: `redirect_if` is verified with on_arrival: the kernel refuses the import of what was verified once
                note: program of this type cannot use helper bpf_redirect#23
                note: cannot import redirect_if() from prog
                """), "the words are:\n\(words)")
        try expect(
            words.contains("\nnote: each program that calls it verifies it anew, as it would a copy; native code is shared where it is the same\n")
                && words.contains("\nhelp: `--verify once` refuses as well\n"), "the words are:\n\(words)")
    },
]

/// Programs of import_choosy, as `auto` loads them.
private func automatic(_ programs: [String], from provider: Provider) throws -> LoadedObject {
    try Mode.$current.withValue(.auto) { try load("import_choosy", only: programs, from: [provider]) }
}
