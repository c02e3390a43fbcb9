// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFLinker
import BPFObject
import TestFixtures
import Testing

/// What becomes of imports that the kernel refused to some programs, and of exports that it refused.
@Suite struct RefusalTests {
    @Test func aProgramHasACopyWhereOthersCall() throws {
        let plan = try plan().refusing { $0.imports["on_arrival"] = ["redirect_if": ["no"]] }
        let parts = plan.bindings.filter { $0.import.name == "redirect_if" }
        #expect(parts.count == 2 && plan.bindings.count == 4)
        let copied = try #require(parts.first { if case .copy = $0.target { true } else { false } })
        #expect(copied.import.sites.map(\.function) == ["on_arrival"])
        #expect(copied.refusals == [Binding.Refusal(programs: ["on_arrival"], words: ["no"])])
        let called = try #require(parts.first { $0.verification == .once })
        #expect(called.import.sites.map(\.function) == ["on_queue"] && called.refusals.isEmpty)
        #expect(plan.copies.copied.map(\.name) == ["redirect_if"])
        #expect(plan.fixups.filter { $0.because.contains("redirect_if") }.map(\.sectionName) == ["tc"])
    }

    @Test func whatIsWrittenHasBoth() throws {
        let plan = try plan().refusing { $0.imports["on_arrival"] = ["redirect_if": ["no"]] }
        let written = try Object(bytes: plan.rewrittenObject(maps: [100: 50, 101: 51]), name: "written")
        #expect(written.imports.isEmpty)
        let copy = try #require(written.functions.firstIndex { $0.name == "redirect_if" })
        #expect(written.functions[copy].role == .static)
        #expect(written.calls.filter { $0.callee == copy }.map { written.functions[$0.caller].name } == ["on_arrival"])
        // The call by FD and name needs the declaration as the compiler wrote it.
        let wanted = try #require(plan.object.imports.first { $0.name == "redirect_if" })
        #expect(written.btf?[wanted.typeID]?.content == plan.object.btf?[wanted.typeID]?.content)
    }

    @Test func whatAllProgramsHaveACopyOfNeedsNoProvider() throws {
        let plan = try plan(only: ["on_leaving"]).refusing { refusals in
            refusals.imports["on_leaving"] = ["leave": ["no"], "plain": ["not this one"]]
        }
        #expect(plan.providers.isEmpty == false, "on_queue and on_arrival call, though they are not loaded")
        let all = try plan.refusing { refusals in
            for program in ["on_queue", "on_arrival"] { refusals.imports[program] = ["plain": ["no"], "redirect_if": ["no"]] }
        }
        #expect(all.providers.isEmpty)
        #expect(all.bindings.first { $0.import.name == "plain" }?.refusals.map(\.programs) == [["on_queue", "on_arrival"], ["on_leaving"]])
    }

    @Test func aProviderWithoutItsObjectCannotBeCopiedFrom() throws {
        let provider = try ProviderSnapshot(fixture: "choosy")
        let plan = try link(Object(fixture: "import_choosy"), libraries: [provider])
        #expect(plan.bindings.allSatisfy { plan.replacement(of: $0) == nil })
        #expect {
            _ = try plan.refusing { $0.imports["on_arrival"] = ["redirect_if": ["no"]] }
        } throws: { error in
            guard case .notCopyable(let wanted, _)? = (error as? LinkErrors)?.errors.first else { return false }
            return wanted.name == "redirect_if"
        }
    }

    @Test func onlyAutoCopiesWhatIsRefused() throws {
        let plan = try plan(mode: .kernel).refusing { $0.imports["on_arrival"] = ["redirect_if": ["no"]] }
        #expect(plan.copies.copied.isEmpty && plan.bindings.allSatisfy { plan.replacement(of: $0) == nil })
    }

    @Test func aLibraryIsRefusedAsAWhole() throws {
        let lower = try provider("subprog", maps: ["counts": 100, ".bss": 101])
        let plan = try link(Object(fixture: "library_on_library"), libraries: [lower])
            .refusing { $0.imports["library_on_library"] = ["bpf_subprog": ["no"]] }
        let binding = try #require(plan.bindings.first { $0.import.name == "bpf_subprog" })
        #expect(binding.refusals == [Binding.Refusal(programs: ["library_on_library"], words: ["no"])])
        #expect(plan.providers.count == 1, "the other import is a call")
    }

    @Test func whatALibraryCannotExportIsHidden() throws {
        let plan = try library("partly").refusing { $0.exports["difference"] = ["no"] }
        #expect(plan.refusedExports.map(\.name) == ["difference"])
        #expect(plan.syntheticEntry?.functions == ["next", "distance", "redirected"])
        let written = try Object(bytes: plan.rewrittenObject(), name: "written")
        #expect(written.exports.map(\.name) == ["next", "distance", "redirected"])
        // `distance` still calls it.
        let hidden = try #require(written.functions.firstIndex { $0.name == "difference" })
        #expect(written.functions[hidden].role == .hidden)
        #expect(written.calls.contains { $0.callee == hidden && written.functions[$0.caller].name == "distance" })
        #expect(plan.object.exports.count == 4, "what it carries is the object as it is")
    }

    @Test func aLibraryOfWhichNothingCanBeExportedIsCarriedOnly() throws {
        let plan = try library("partly").refusing { refusals in
            for name in ["next", "difference", "distance", "redirected"] { refusals.exports[name] = ["no"] }
        }
        #expect(plan.carriesOnly && !plan.copiesOnly)
        #expect(plan.syntheticEntry?.functions == [] && plan.syntheticEntry?.digest != nil)
    }

    @Test(arguments: [LinkMode.kernel, .copy]) func onlyAutoGoesByRefusedExports(mode: LinkMode) throws {
        let plan = try library("partly", mode: mode).refusing { $0.exports["difference"] = ["no"] }
        #expect(plan.refusedExports.isEmpty)
    }

    @Test func whatAProviderDoesNotExportIsCopiedAndTheRestIsCalled() throws {
        let provider = try provider("partly", maps: [".bss": 100], uncallable: ["difference"])
        let importer = try Object(fixture: "import_partly")
        let plan = try link(importer, libraries: [provider])
        #expect(plan.copies.copied.map(\.name) == ["difference"])
        #expect(plan.bindings.count == 4 && plan.bindings.allSatisfy(\.refusals.isEmpty))
        var options = LinkOptions()
        options.mode = .kernel
        #expect {
            _ = try link(importer, libraries: [provider], options: options)
        } throws: { error in
            guard case .notCallable(let wanted, _)? = (error as? LinkErrors)?.errors.first else { return false }
            return wanted.name == "difference" && (error as? LinkErrors)?.errors.count == 1
        }
    }

    @Test func whatCanBeCopiedOfAProviderIsAllOfALibrary() throws {
        func offered(_ fixture: String, exporting names: Set<String>) throws -> [String] {
            let object = try Object(fixture: fixture)
            let carried = try Carried(root: 6, objects: [6: CarriedObject(object: object, maps: [:], imports: [:])])
            let exported = object.exports.filter { names.contains($0.name) }.map { ProviderExport(prototype: $0.prototype) }
            return carried.offered(by: exported).map { $0.isCallable ? $0.name : "(\($0.name))" }
        }
        #expect(try offered("partly", exporting: ["distance", "next"]) == ["next", "distance", "(difference)", "(redirected)"])
        // Each program of an object offers its part.
        let steps = try Object(fixture: "steps").exports.map(\.name)
        #expect(try offered("steps", exporting: [steps[0]]) == [steps[0]])
        #expect(try offered("steps", exporting: []) == steps.map { "(\($0))" })
    }

    // MARK: -

    private func library(_ fixture: String, mode: LinkMode = .auto) throws -> LinkPlan {
        var options = LinkOptions()
        options.mode = mode
        return try link(Object(fixture: fixture), options: options)
    }

    private func plan(mode: LinkMode = .auto, only: [String] = []) throws -> LinkPlan {
        var options = LinkOptions()
        options.mode = mode
        options.only = only
        return try link(
            Object(fixture: "import_choosy"), libraries: [provider("choosy", maps: ["elsewhere": 100, ".bss": 101])], options: options)
    }

    /// A provider that can be called as well as copied from.
    ///
    /// - Parameter uncallable: functions that can be copied only.
    private func provider(
        _ fixture: String, maps: [String: UInt32], uncallable: Set<String> = []
    ) throws -> ProviderSnapshot {
        let object = try CarriedObject(object: Object(fixture: fixture), maps: maps, imports: [:])
        let carried = try Carried(root: 6, objects: [6: object])
        return ProviderSnapshot(
            reference: "7", id: 17, name: fixture, tag: "0123456789abcdef", type: "sched_cls",
            exports: carried.exports.map { ProviderExport(prototype: $0.prototype, isCallable: !uncallable.contains($0.name)) },
            carried: carried)
    }
}
