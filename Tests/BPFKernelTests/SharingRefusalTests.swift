// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
@testable import BPFKernel
import BPFLinker
import BPFObject
import SystemPackage
import TestFixtures
import Testing

/// What becomes of a plan when the kernel refuses one of its programs; the logs are what the patched kernel says.
@Suite struct SharingRefusalTests {
    @Test func aFunctionThatCannotBeImportedIsCopied() throws {
        let reason = "cannot import thread() from prog 7 (steps_refused): it calls helper bpf_get_current_task#35"
        let next = try #require(try replanned("steps_refused", "on_rename", log: ["0: (85) call thread", reason]))
        #expect(next.sharing.functions.map(\.name) == ["record", "peek", "first_byte"])
        #expect(next.sharing.copies.first { $0.name == "thread" }?.reason == .refused([reason]))
    }

    @Test func aProgramWhoseCallIsRefusedGetsCopies() throws {
        let log = ["Caller passes invalid args into first_byte() of prog 7 (steps_refused)"]
        let next = try #require(try replanned("steps_refused", "on_frame", log: log))
        #expect(next.sharing.importers == ["on_rename", "on_switch"])
        #expect(next.sharing.functions.count == 4)
    }

    @Test func theProviderIsLeftWithoutTheFunctionThatWasVerifiedLast() throws {
        let log = [
            "Validating record() func#1...", "Func#1 is safe for any args that match its prototype",
            "Validating peek() func#3...", "program of this type cannot use helper bpf_probe_read#4",
        ]
        let next = try #require(try replanned("steps_refused", "steps_refused", log: log))
        #expect(next.sharing.functions.map(\.name) == ["record", "thread", "first_byte"])
    }

    @Test func whatIsSharedLeavesWithAFunctionThatItCalls() throws {
        let next = try #require(try replanned("steps", "steps", log: ["Validating record() func#1...", "no"]))
        #expect(!next.isShared)
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

    // MARK: -

    private func replanned(_ fixture: String, _ program: String, log: [String]) throws -> LinkPlan? {
        try plan(fixture).replanned(after: error(program, log: log))
    }

    private func error(_ program: String, log: [String]) -> KernelError {
        .refused(
            program: program, type: ProgramType(rawValue: 2), errno: .invalidArgument,
            log: VerifierLog(text: log.joined(separator: "\n")))
    }

    private func plan(_ fixture: String) throws -> LinkPlan {
        var options = LinkOptions()
        options.shares = true
        let library = try Object(bytes: Fixture.bytes("subprog"), name: "subprog.bpf.o")
        let provider = ProviderSnapshot(
            reference: "7", id: 7, name: "subprog", tag: "0123456789abcdef", type: "socket_filter",
            exports: library.exports.map { ProviderExport(prototype: $0.prototype) })
        return try link(
            Object(bytes: Fixture.bytes(fixture), name: "\(fixture).bpf.o"), libraries: [provider], options: options)
    }
}
