// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
@testable import BPFLinker
import BPFObject
import Testing

/// What programs of one object share, and what not, one rule each.
@Suite struct SharingTests {
    @Test func whatTwoProgramsCallIsSharedByThoseThatCallIt() throws {
        let sharing = try plan("steps").sharing
        #expect(sharing.functions.map(\.name) == ["record", "record_twice", "length", "record_often"])
        #expect(sharing.functions[0].programs == ["on_rename", "on_switch", "on_queue", "on_arrival"])
        #expect(sharing.functions[1].programs == ["on_frame", "on_queue"])
        // A context is no obstacle, nor is a callback.
        #expect(sharing.functions[2].programs == ["on_queue", "on_arrival"])
        #expect(sharing.functions[3].programs == ["on_frame", "on_queue"])
    }

    @Test func theFirstStepExportsWhatIsShared() throws {
        let entry = try #require(try plan("steps").syntheticEntry)
        // Of the type whose programs call them all.
        #expect(
            entry == SyntheticEntry(
                name: "steps", sectionName: "tc/steps", type: "tc",
                functions: ["record", "record_twice", "length", "record_often"]))
    }

    @Test func theProviderIsOfTheTypeThatCallsMost() throws {
        #expect(try plan("steps", only: ["on_rename", "on_frame"]).syntheticEntry?.type == "kprobe")
        // The words behind the slash say which kind of cgroup program it is.
        #expect(try plan("steps_own").syntheticEntry?.type == "cgroup_skb/ingress")
        // One that may sleep is as good as another.
        #expect(try plan("steps", only: ["on_user", "on_rename"]).syntheticEntry?.type == "kprobe")
    }

    @Test func aTypeInWhichAFunctionIsNotValidIsLeftToOthers() throws {
        let plan = try plan("steps").refusing { $0.providers["tc"] = ["record_twice": ["no"], "record_often": ["no"]] }
        #expect(plan.syntheticEntry?.type == "xdp")
        #expect(plan.sharing.functions.count == 4)
        // When every type has one, the best loses it.
        let last = try plan.refusing { refusals in
            for type in ["kprobe", "tracepoint", "cgroup_skb/ingress"] { refusals.providers[type] = ["record": ["no"]] }
            refusals.providers["xdp"] = ["record": ["no"], "record_twice": ["no"]]
        }
        #expect(last.syntheticEntry?.type == "tc")
        #expect(last.sharing.functions.map(\.name) == ["record", "length"])
        #expect(last.sharing.copies.first { $0.name == "record_twice" }?.reason == .refused(["no"]))
    }

    @Test func theProvidersSectionIsLikeNoneOfTheObject() throws {
        let entry = try #require(try plan("steps_broken").syntheticEntry)
        #expect(entry.sectionName == "socket/steps_broken")
        #expect(entry.type == "socket")
    }

    @Test func everyCopyHasAReason() throws {
        let copies = try plan("steps").sharing.copies
        let reasons = Dictionary(uniqueKeysWithValues: copies.map { ($0.name, $0.reason) })
        #expect(
            reasons == [
                "clamp": .isHidden, "record_packet": .isStatic, "weight_of": .oneProgram,
            ])
        #expect(copies.first { $0.name == "clamp" }?.programs == ["on_switch", "on_queue"])
    }

    @Test func whatNoProgramCanDoForAnotherIsCopied() throws {
        let running = try plan("steps_own").sharing
        #expect(running.functions.map(\.name) == ["record"])
        #expect(
            reasons(running) == [
                "uses_storage": .obstacle(.cgroupStorage, in: "uses_storage"),
                "throws": .obstacle(.throwsException, in: "throws"), "below": .isStatic,
                "throws_below": .obstacle(.throwsException, in: "throws"),
            ])
        let others = try plan("steps_own", only: ["first", "second"]).sharing
        #expect(others.functions.isEmpty)
        #expect(
            reasons(others) == [
                "makes_tail_calls": .obstacle(.tailCalls, in: "makes_tail_calls"),
                "uses_programs": .obstacle(.programArray(map: "jumps"), in: "uses_programs"),
                "loads_packet": .obstacle(.loadsPacketData, in: "loads_packet"),
                "takes_anything": .obstacle(.parameter(1, type: "const void *"), in: "takes_anything"),
            ])
    }

    private func reasons(_ sharing: Sharing) -> [String: Sharing.Reason] {
        Dictionary(uniqueKeysWithValues: sharing.copies.map { ($0.name, $0.reason) })
    }

    @Test func callsInProgramsAndInTheirCopiesBecomeImportsAndThoseInTheProviderStay() throws {
        let plan = try plan("steps")
        let functions = plan.object.functions
        let changed = Set(
            plan.fixups.compactMap { fixup in
                functions.first { $0.section == fixup.section && $0.instructions.contains(fixup.instruction) }?.name
            })
        #expect(changed == ["on_rename", "on_switch", "on_frame", "on_queue", "on_arrival", "record_packet"])
        for fixup in plan.fixups {
            #expect(fixup.before.source == Instruction.pseudoCall)
            #expect(fixup.after.source == Instruction.pseudoProgramCall && fixup.after.offset == 0)
        }
    }

    @Test func anImportIsDeclaredInBTFWithThePrototypeOfTheDefinition() throws {
        let plan = try plan("steps")
        let object = try Object(bytes: plan.rewrittenObject(), name: "rewritten")
        let btf = try #require(object.btf)
        for function in plan.sharing.functions {
            let declaration = try #require(btf[function.extern.typeID])
            let definition = try #require(btf[function.export.typeID])
            guard case .function(let declared, .extern) = declaration.content,
                case .function(let defined, .global) = definition.content
            else {
                Issue.record("\(declaration) \(definition)")
                continue
            }
            #expect(declaration.name == function.name && declared == defined)
            #expect(plan.fixups.contains { $0.after.immediate == Int32(function.extern.typeID.value) })
        }
        let places = Set(plan.fixups.map { [$0.section.value, $0.instruction.value] })
        #expect(!object.relocations.contains { places.contains([$0.section.value, $0.instruction.value]) })
    }

    @Test func libbpfOpensTheObjectAndTakesTheProviderLast() async {
        await #expect(processExitsWith: .success) {
            var options = LinkOptions()
            options.shares = true
            let plan = try link(Object(fixture: "steps"), options: options)
            let opened = try OpenObject(plan.rewrittenObject())
            #expect(opened.programNames().last == plan.syntheticEntry?.name)
        }
    }

    @Test func withoutTheOptionNothingIsShared() throws {
        let plan = try link(Object(fixture: "steps"))
        #expect(!plan.isShared && plan.sharing.copies.isEmpty && plan.fixups.isEmpty && plan.syntheticEntry == nil)
        #expect(try plan.rewrittenObject() == plan.object.bytes)
        #expect(try self.plan("steps").unshared().rewrittenObject() == plan.object.bytes)
    }

    @Test(arguments: ["plain", "attachable"])
    func anObjectWithNothingToShareStaysAsItIs(fixture: String) throws {
        let plan = try plan(fixture)
        #expect(!plan.isShared)
        #expect(try plan.rewrittenObject() == plan.object.bytes)
    }

    @Test func programsThatLibbpfPutsIntoAnArrayShareNothing() throws {
        let plan = try plan("steps_stored")
        #expect(!plan.isShared)
        #expect(plan.sharing.copies.map(\.reason) == [.programsInData])
    }

    // MARK: Choosing programs

    @Test func programsOnDemandAreLeftOut() throws {
        let plan = try plan("steps")
        #expect(plan.leftOut.map(\.name) == ["on_user"])
        #expect(plan.programs.count == 5)
    }

    @Test func whatOnlyOneOfTheChosenProgramsCallsIsNotShared() throws {
        let plan = try plan("steps", only: ["on_rename", "on_frame"])
        #expect(plan.sharing.functions.map(\.name) == ["record"])
        #expect(plan.sharing.copies.first { $0.name == "record_twice" }?.reason == .oneProgram)
        #expect(!(try self.plan("steps", only: ["on_rename"]).isShared))
    }

    @Test func theCallsOfProgramsThatAreLeftOutStay() throws {
        let sections = Set(try plan("steps", except: ["on_rename"]).fixups.map(\.sectionName))
        #expect(!sections.contains("kprobe/__set_task_comm") && sections.contains("xdp"))
    }

    @Test func aProgramThatCannotImportKeepsAllItsCode() throws {
        let plan = try plan("steps", only: ["on_user", "on_frame", "on_queue"]).refusing { $0.programs["on_user"] = ["no"] }
        #expect(plan.sharing.functions.map(\.name) == ["record", "record_twice", "record_often"])
        #expect(plan.sharing.functions.allSatisfy { !$0.programs.contains("on_user") })
        let copy = try #require(plan.sharing.copies.first { $0.name == "record_twice" })
        #expect(copy.programs == ["on_user"])
        #expect(copy.reason == .program("on_user", .refused(["no"])))
        #expect(!plan.fixups.contains { $0.sectionName == "?uprobe.s" })
    }

    @Test func aProgramThatMaySleepImportsLikeOthers() throws {
        let plan = try plan("steps", only: ["on_user", "on_frame", "on_queue"])
        #expect(plan.sharing.functions.first { $0.name == "record_twice" }?.programs == ["on_frame", "on_queue", "on_user"])
    }

    @Test func aProgramThatDoesNotExistIsAnError() throws {
        let errors = failure("steps", only: ["on_renam"], except: [])
        guard case .noSuchProgram("on_renam", let programs, let similar)? = errors.first else {
            Issue.record("\(errors)")
            return
        }
        #expect(programs.count == 6 && similar.first == "on_rename")
    }

    @Test func choosingNothingIsAnError() throws {
        let errors = failure("steps", only: ["on_frame"], except: ["on_frame"])
        guard case .nothingChosen? = errors.first else {
            Issue.record("\(errors)")
            return
        }
    }

    // MARK: With imports from elsewhere

    @Test func whatIsSharedIsInTheSlotBehindOtherProviders() throws {
        let plan = try plan("steps_import", libraries: [try ProviderSnapshot(fixture: "subprog")])
        let shared = plan.fixups.filter { $0.because.contains("`scaled`") }
        let imported = plan.fixups.filter { $0.because.contains("`bpf_subprog_scale`") }
        #expect(shared.map(\.after.offset) == [1, 1])
        #expect(imported.map(\.after.offset) == [0, 0])
        #expect(plan.sharedSlot == ProviderSlot(1))
    }

    @Test func importsOfProgramsThatAreLeftOutNeedNoProvider() throws {
        #expect(failure("steps_import", only: ["single"], except: []).count == 1)
        let plan = try plan("steps_import", only: ["alone"])
        guard case .unresolved? = plan.bindings.first?.target else {
            Issue.record("\(plan.bindings)")
            return
        }
    }

    // MARK: After a refusal

    @Test func aFunctionThatTheKernelRefusedIsCopied() throws {
        let plan = try plan("steps").refusing { $0.functions["record_twice"] = ["no"] }
        #expect(plan.sharing.functions.map(\.name) == ["record", "length", "record_often"])
        #expect(plan.sharing.copies.first { $0.name == "record_twice" }?.reason == .refused(["no"]))
        // Its copies import what is still shared.
        #expect(try fixups(plan, in: "record_twice") == 2)
    }

    @Test func aFunctionThatOneProgramCannotImportIsSharedByTheOthers() throws {
        let plan = try plan("steps").refusing { $0.imports["on_rename"] = ["record": ["no"]] }
        let record = try #require(plan.sharing.functions.first { $0.name == "record" })
        #expect(record.programs == ["on_switch", "on_queue", "on_arrival"])
        #expect(plan.sharing.copies.first { $0.name == "record" }?.programs == ["on_rename"])
        #expect(plan.sharing.copies.first { $0.name == "record" }?.reason == .refused(["no"]))
    }

    @Test func aCallIsNoImportForAnyProgramThatHasTheCode() throws {
        let plan = try plan("steps").refusing { $0.imports["on_arrival"] = ["record": ["no"]] }
        #expect(plan.sharing.functions.first { $0.name == "record" }?.programs == ["on_rename", "on_switch"])
        let copies = plan.sharing.copies.filter { $0.name == "record" }
        #expect(copies.map(\.programs) == [["on_arrival"], ["on_queue"]])
        #expect(copies.map(\.reason) == [.refused(["no"]), .calledBelow("record_packet")])
        #expect(try fixups(plan, in: "record_packet") == 0)
    }

    @Test func aProgramThatTheKernelRefusedHasCopies() throws {
        let plan = try plan("steps").refusing { $0.programs["on_frame"] = ["no"] }
        #expect(plan.sharing.functions.map(\.name) == ["record", "length"])
        #expect(!plan.sharing.importers.contains("on_frame"))
        #expect(plan.sharing.copies.first { $0.name == "record" }?.reason == .program("on_frame", .refused(["no"])))
    }

    @Test func everyProgramThatCannotImportHasItsReason() throws {
        let plan = try plan("steps").refusing { $0.programs["on_frame"] = ["no"] }
            .refusing { $0.programs["on_queue"] = ["not this one"] }
        let copies = plan.sharing.copies.filter { $0.name == "record" }
        #expect(copies.map(\.programs) == [["on_frame"], ["on_queue"], ["on_arrival"]])
        #expect(
            copies.map(\.reason) == [
                .program("on_frame", .refused(["no"])), .program("on_queue", .refused(["not this one"])),
                // It is one piece of code for both of its programs, and one of them cannot import.
                .calledBelow("record_packet"),
            ])
    }

    @Test func whenAllIsRefusedTheObjectIsAsItWas() throws {
        let plan = try plan("steps").refusing { refusals in
            for function in ["record", "record_twice", "length", "record_often"] { refusals.functions[function] = [] }
        }
        #expect(try plan.rewrittenObject() == plan.object.bytes)
    }

    // MARK: -

    /// How many calls of a function of the object become imports.
    private func fixups(_ plan: LinkPlan, in name: String) throws -> Int {
        let function = try #require(plan.object.functions.first { $0.name == name })
        return plan.fixups.filter { $0.section == function.section && function.instructions.contains($0.instruction) }.count
    }

    private func plan(
        _ fixture: String, only: [String] = [], except: [String] = [], libraries: [ProviderSnapshot] = []
    ) throws -> LinkPlan {
        var options = LinkOptions()
        options.shares = true
        options.only = only
        options.except = except
        return try link(Object(fixture: fixture), libraries: libraries, options: options)
    }

    private func failure(_ fixture: String, only: [String], except: [String]) -> [LinkError] {
        do {
            _ = try plan(fixture, only: only, except: except)
            return []
        } catch let error as LinkErrors {
            return error.errors
        } catch {
            Issue.record("\(error)")
            return []
        }
    }
}
