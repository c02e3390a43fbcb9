// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
@testable import BPFKernel
import BPFLinker
import BPFObject
import SystemPackage
import TestFixtures
import Testing

/// What becomes of a plan when the kernel refuses one of its programs; the logs are what the patched kernel says.
@Suite struct ReplanningTests {
    @Test func aFunctionThatAProgramCannotImportIsCopiedIntoIt() throws {
        let log = [
            "Validating checksum() func#1...", "program of this type cannot use helper bpf_csum_diff#28",
            "cannot import checksum() from prog 7 (steps_refused): it is not valid in programs of this kind",
            "Change what the last lines above object to, or compile the function into this program.",
        ]
        let next = try #require(try replanned("steps_refused", "on_rename", log: log))
        #expect(next.sharing.functions.map(\.name) == ["record", "first_byte", "checksum", "peek"])
        let copy = try #require(next.sharing.copies.first { $0.name == "checksum" })
        #expect(copy.programs == ["on_rename"])
        #expect(
            copy.reason == .refused([
                "program of this type cannot use helper bpf_csum_diff#28",
                "cannot import checksum() from prog 7 (steps_refused): it is not valid in programs of this kind",
            ]))
    }

    @Test func programsOfOneKindAreRefusedTheSame() throws {
        let log = ["cannot import bpf_subprog() from prog 7 (steps_contexts): it is not valid in programs of this kind"]
        let next = try #require(try replanned("steps_contexts", "on_rename", log: log))
        #expect(next.sharing.functions.first { $0.name == "bpf_subprog" }?.programs == ["on_switch", "on_queue"])
        // Two kprobes, on whatever they are, are of one kind.
        let other = ["cannot import has_task() from prog 7 (steps_contexts): it is not valid in programs of this kind"]
        let none = try #require(try replanned("steps_contexts", "on_exit", log: other))
        #expect(none.sharing.functions.map(\.name) == ["bpf_subprog"])
    }

    @Test func theFunctionWhoseCallIsRefusedIsCopied() throws {
        let log = ["R1 is scalar", "Caller passes invalid args into first_byte() of prog 7 (steps_refused)"]
        let next = try #require(try replanned("steps_refused", "on_frame", log: log))
        #expect(next.sharing.functions.first { $0.name == "record" }?.programs.contains("on_frame") == true)
        #expect(!next.sharing.functions.contains { $0.name == "first_byte" }, "only one program is left that calls it")
    }

    @Test func programsOfATypeThatCannotImportAreLeftOut() throws {
        let log = ["cannot import from prog 7 (steps): programs of this type neither export nor import functions"]
        let next = try #require(try replanned("steps_contexts", "on_rename", log: log))
        #expect(next.sharing.importers == ["on_switch", "on_queue"])
    }

    @Test func aProgramThatIsRefusedForItselfHasCopies() throws {
        let next = try #require(try replanned("steps_refused", "on_frame", log: ["R1 invalid mem access 'scalar'"]))
        #expect(next.sharing.importers == ["on_rename", "on_switch", "on_queue"])
    }

    @Test func aFunctionThatIsNotValidInAnyProviderIsLeftOut() throws {
        let peek = [
            "Validating record() func#1...", "Func#1 is safe for any args that match its prototype",
            "Validating peek() func#3...", "program of this type cannot use helper bpf_probe_read#4",
        ]
        var plan = try plan("steps_refused")
        #expect(plan.sharing.providerType == "tc")
        func refuse(_ log: [String]) throws { plan = try #require(plan.replanned(after: error("steps_refused", log: log))) }
        // Another type is tried with everything in it.
        try refuse(peek)
        #expect(plan.sharing.providerType == "kprobe" && plan.sharing.functions.count == 4)
        try refuse(["Validating checksum() func#2...", "no"])
        #expect(plan.sharing.providerType == "xdp" && plan.sharing.functions.count == 4)
        try refuse(peek)
        #expect(plan.sharing.providerType == "xdp")
        #expect(plan.sharing.functions.map(\.name) == ["record", "first_byte", "checksum"])
        #expect(plan.sharing.copies.first { $0.name == "peek" }?.programs == ["on_rename", "on_switch", "on_queue"])
    }

    @Test func aProviderInWhichACommonFunctionIsNotValidIsOfAnotherType() throws {
        let next = try #require(try replanned("steps", "steps", log: ["Validating record() func#1...", "no"]))
        #expect(next.sharing.providerType == "xdp" && next.sharing.functions.count == 4)
    }

    @Test(arguments: [[], ["too many subprograms"]])
    func aProviderThatIsRefusedAsAWholeIsLeftOut(log: [String]) throws {
        let next = try #require(try replanned("steps_refused", "steps_refused", log: log))
        #expect(!next.isShared)
        #expect(try next.rewrittenObject() == next.object.bytes)
    }

    @Test func aProgramThatSharesNothingIsRefusedForGood() throws {
        #expect(try replanned("steps_import", "alone", log: ["no"]) == nil)
        #expect(try plan("steps_refused").unshared().replanned(after: error("on_rename", log: ["no"])) == nil)
    }

    @Test func whatIsSaidOfAnImportHoldsForAllProgramsOfTheKind() throws {
        let log = ["cannot import plain() from prog 7 (choosy): it is not valid in programs of this kind"]
        let next = try #require(try importer().replanned(after: error("on_queue", log: log)))
        let binding = try #require(next.bindings.first { $0.import.name == "plain" && !$0.refusals.isEmpty })
        #expect(binding.refusals == [Binding.Refusal(programs: ["on_queue", "on_leaving"], words: log)])
        #expect(next.copies.copied.map(\.name) == ["plain"])
    }

    @Test func whatIsSaidOfACallHoldsForTheProgram() throws {
        let log = ["R1 is scalar", "Caller passes invalid args into plain() of prog 7 (choosy)"]
        let next = try #require(try importer().replanned(after: error("on_queue", log: log)))
        #expect(next.bindings.flatMap(\.refusals).map(\.programs) == [["on_queue"]])
    }

    @Test func aProgramThatIsRefusedForItselfHasCopiesOfItsImports() throws {
        let next = try #require(try importer().replanned(after: error("on_leaving", log: ["R1 invalid mem access 'scalar'"])))
        #expect(Set(next.copies.copied.map(\.name)) == ["plain", "leave"])
        #expect(next.bindings.flatMap(\.refusals).allSatisfy { $0.programs == ["on_leaving"] })
    }

    @Test func whatIsNoWordOfTheVerifiersCopiesNothing() throws {
        #expect(try importer().replanned(after: error("on_queue", log: [])) == nil)
        #expect(try importer(carries: false).replanned(after: error("on_queue", log: ["no"])) == nil)
        let log = ["cannot import plain() from prog 7 (choosy): it is not valid in programs of this kind"]
        let refused = error("on_queue", log: log).tellingWhyNothingIsCopied(for: try importer(carries: false))
        #expect(refused.notes == log + ["`plain` cannot be copied instead: 7 (choosy, id 7) does not carry its object"])
    }

    @Test func aFunctionThatIsNoExportIsLeftToBeCopied() throws {
        let log = ["Validating next() func#1...", "Func#1 is safe for any args that match its prototype"]
        let refused = log + ["Validating difference() func#2...", "9: (61) r2 = *(u32 *)(r1 +0)", "R1 invalid mem access 'mem_or_null'"]
        let plan = try library("partly")
        let next = try #require(plan.replanned(after: error("partly", log: refused)))
        #expect(next.refusals.exports == ["difference": ["9: (61) r2 = *(u32 *)(r1 +0)", "R1 invalid mem access 'mem_or_null'"]])
        #expect(next.syntheticEntry?.functions == ["next", "distance", "redirected"])
        // Another one, later.
        let other = ["Validating redirected() func#3...", "program of this type cannot use helper bpf_redirect#23"]
        let last = try #require(next.replanned(after: error("partly", log: log + other)))
        #expect(last.refusedExports.map(\.name) == ["difference", "redirected"])
    }

    @Test(arguments: [
        ["cannot export subprograms: programs of this type neither export nor import functions"],
        ["Validating next() func#1...", "Func#1 is safe for any args that match its prototype", "combined stack size is too large"],
    ]) func aLibraryThatIsRefusedAsAWholeIsLeftToBeCopied(log: [String]) throws {
        let next = try #require(try library("partly").replanned(after: error("partly", log: log)))
        #expect(next.carriesOnly && next.refusedExports.count == 4)
        #expect(next.replanned(after: error("partly", log: log)) == nil)
    }

    @Test func aProgramOfATypeThatCannotExportDoesNot() throws {
        let log = ["cannot export subprograms: programs of this type neither export nor import functions"]
        let plan = try library("unlinkable")
        #expect(plan.replanned(after: error("on_connection", log: log))?.refusals.exporters == ["on_connection": log])
        #expect(plan.replanned(after: error("on_connection", log: ["R1 invalid mem access 'scalar'"])) == nil)
    }

    @Test func onlyWhatCanBeCopiedIsLeftOutOfExports() throws {
        let refused = error("partly", log: ["Validating difference() func#2...", "no"])
        #expect(try library("partly").replanned(after: refused, carriesObject: false) == nil)
        #expect(try library("partly", mode: .kernel).replanned(after: refused) == nil)
        // What it imports comes from a provider without an object.
        let upper = try plan("library_on_library")
        #expect(upper.replanned(after: error("library_on_library", log: ["Validating bpf_subprog_scaled() func#1...", "no"])) == nil)
    }

    @Test func aLibraryThatIsRefusedIsToldTheRemedy() throws {
        let refused = error("partly", log: ["Validating difference() func#2...", "no"])
        #expect(
            refused.tellingWhatElseAProviderCanDo(for: try library("partly", mode: .kernel)).help
                == ["`--mode auto` exports the rest of the library, and importers have a copy of `difference`"])
        #expect(
            refused.tellingWhatElseAProviderCanDo(for: try library("partly")).notes.last
                == "`difference` cannot be left to be copied: the library, or one that it imports from, carries no object")
        #expect(refused.tellingWhatElseAProviderCanDo(for: try importer()) == refused)
    }

    @Test func aFunctionThatIsNoExportIsKeptWhereTheKernelCan() throws {
        let refused = error("partly", log: ["Validating difference() func#2...", "no"])
        let next = try #require(try library("partly", bodies: true).replanned(after: refused))
        #expect(next.refusedExports.map(\.name) == ["difference"])
        #expect(next.object.exports.map { next.verification(of: $0) } == [.once, .chain, .once, .once])
        // For that no object needs to be carried.
        #expect(try library("partly", bodies: true).replanned(after: refused, carriesObject: false) != nil)
    }

    @Test func aLibraryThatIsRefusedAsAWholeIsKeptThenCopied() throws {
        let log = ["combined stack size is too large"]
        let kept = try #require(try library("partly", bodies: true).replanned(after: error("partly", log: log)))
        #expect(kept.object.exports.allSatisfy { kept.verification(of: $0) == .chain } && !kept.carriesOnly)
        let copied = try #require(kept.replanned(after: error("partly", log: log)))
        #expect(copied.carriesOnly)
        // A type that exports nothing keeps nothing.
        let type = ["cannot export subprograms: programs of this type neither export nor import functions"]
        #expect(try library("partly", bodies: true).replanned(after: error("partly", log: type))?.carriesOnly == true)
    }

    @Test func anImportThatIsRefusedIsVerifiedWithTheProgramThenCopied() throws {
        let log = ["cannot import plain() from prog 7 (choosy): it is not valid in programs of this kind"]
        let chained = try #require(try importer(bodies: true).replanned(after: error("on_queue", log: log)))
        #expect(chained.isFallback(from: try importer(bodies: true)))
        let binding = try #require(chained.bindings.first { $0.import.name == "plain" && !$0.refusals.isEmpty })
        #expect(binding.verification == .chain)
        #expect(binding.refusals == [Binding.Refusal(programs: ["on_queue", "on_leaving"], words: log)])
        let other = ["cannot import plain() from prog 7 (choosy): it calls a kfunc of a module, which is not known any more"]
        let copied = try #require(chained.replanned(after: error("on_queue", log: other)))
        #expect(copied.isFallback(from: chained) && copied.copies.copied.map(\.name) == ["plain"])
        #expect(copied.bindings.first { $0.verification == nil }?.refusals.map(\.words) == [other])
    }

    @Test func whatIsUnsafeWithTheProgramIsUnsafeInACopy() throws {
        let log = ["7: (79) r0 = *(u64 *)(r1 +0)", "R1 invalid mem access 'scalar'"]
        let chained = try #require(try importer(bodies: true).replanned(after: error("on_leaving", log: log)))
        #expect(chained.calledImports(of: "on_leaving").allSatisfy { $0.verification == .chain })
        #expect(try #require(chained.replanned(after: error("on_leaving", log: log))).refusals == chained.refusals)
        let first = error("on_leaving", log: log)
        #expect(first.tellingThatTheRestIsRefused(first, for: chained) == first, "it is told once")
        let other = error("on_leaving", log: ["R2 invalid mem access 'scalar'"])
        #expect(
            first.tellingThatTheRestIsRefused(other, for: chained).notes.last
                == "verified with it `on_leaving` is refused as well: R2 invalid mem access 'scalar'")
    }

    @Test func programsOfOneObjectAreVerifiedWithWhatTheyMayNotImport() throws {
        let log = ["cannot import checksum() from prog 7 (steps_refused): it is not valid in programs of this kind"]
        let next = try #require(try plan("steps_refused", bodies: true).replanned(after: error("on_rename", log: log)))
        let checksum = try #require(next.sharing.functions.first { $0.name == "checksum" })
        #expect(checksum.programs.contains("on_rename"))
        #expect(checksum.chained.map(\.programs) == [["on_rename"]] && checksum.chained.map(\.reason) == [.refused(log)])
        // What nobody is named for is about some import that was verified once, or about the program.
        let words = ["R1 invalid mem access 'scalar'"]
        let all = try #require(next.replanned(after: error("on_rename", log: words)))
        let imported = all.sharing.functions.filter { $0.programs.contains("on_rename") }
        #expect(imported.count > 1 && imported.allSatisfy { $0.chained.contains { $0.programs == ["on_rename"] } })
        #expect(all.replanned(after: error("on_rename", log: words))?.refusals.programs == ["on_rename": words])
    }

    @Test func aProviderThatIsRefusedAsAWholeKeepsWhatItWouldExport() throws {
        let log = ["too many subprograms"]
        let next = try #require(try plan("steps_refused", bodies: true).replanned(after: error("steps_refused", log: log)))
        #expect(next.sharing.functions.count == 4 && next.sharing.functions.allSatisfy(\.isBody))
        let last = try #require(next.replanned(after: error("steps_refused", log: log)))
        #expect(!last.isShared)
    }

    // MARK: -

    private func library(_ fixture: String, mode: LinkMode = .auto, bodies: Bool = false) throws -> LinkPlan {
        var options = LinkOptions()
        options.mode = mode
        options.kernelHasBodies = bodies
        return try link(Object(bytes: Fixture.bytes(fixture), name: "\(fixture).bpf.o"), options: options)
    }

    private func importer(carries: Bool = true, bodies: Bool = false) throws -> LinkPlan {
        let library = try Object(bytes: Fixture.bytes("choosy"), name: "choosy.bpf.o")
        let object = CarriedObject(object: library, maps: [:], imports: [:])
        let provider = ProviderSnapshot(
            reference: "7", id: 7, name: "choosy", tag: "0123456789abcdef", type: "sched_cls",
            exports: library.exports.map { ProviderExport(prototype: $0.prototype, hasBody: bodies) },
            carried: carries ? try Carried(root: 6, objects: [6: object]) : nil)
        return try link(Object(bytes: Fixture.bytes("import_choosy"), name: "import_choosy.bpf.o"), libraries: [provider])
    }

    private func replanned(_ fixture: String, _ program: String, log: [String]) throws -> LinkPlan? {
        try plan(fixture).replanned(after: error(program, log: log))
    }

    private func error(_ program: String, log: [String]) -> KernelError {
        .refused(
            program: program, type: ProgramType(rawValue: 2), errno: .invalidArgument,
            log: VerifierLog(text: log.joined(separator: "\n")))
    }

    private func plan(_ fixture: String, bodies: Bool = false) throws -> LinkPlan {
        var options = LinkOptions()
        options.kernelHasBodies = bodies
        options.shares = true
        let library = try Object(bytes: Fixture.bytes("subprog"), name: "subprog.bpf.o")
        let provider = ProviderSnapshot(
            reference: "7", id: 7, name: "subprog", tag: "0123456789abcdef", type: "socket_filter",
            exports: library.exports.map { ProviderExport(prototype: $0.prototype) })
        return try link(
            Object(bytes: Fixture.bytes(fixture), name: "\(fixture).bpf.o"), libraries: [provider], options: options)
    }
}
