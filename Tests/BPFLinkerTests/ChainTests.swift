// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFLinker
import BPFObject
import CLibbpf
import Glibc
import TestFixtures
import Testing

/// Functions that are verified with those who import them: who offers them, who is bound to them, what is written.
@Suite struct ChainTests {
    // MARK: Offers

    @Test func whatIsMarkedIsOfferedToBeVerifiedWithImporters() throws {
        let plan = try library("chain")
        #expect(plan.object.exports.map { plan.verification(of: $0) } == [.chain, .chain, .once])
        #expect(plan.syntheticEntry?.functions == ["bpf_subprog", "count_at", "doubled"])
        #expect(plan.needsBodies && plan.keepsBodies)
    }

    @Test func aKernelThatKeepsNothingIsOfferedTheExports() throws {
        let plan = try library("chain", bodies: false)
        #expect(plan.object.exports.map { plan.verification(of: $0) } == [nil, nil, .once])
        #expect(plan.syntheticEntry?.functions == ["doubled"])
        #expect(!plan.needsBodies && !plan.keepsBodies)
        // By itself the kernel would refuse it, whether or not anything calls it.
        let written = try Object(bytes: plan.rewrittenObject(), name: "written")
        #expect(written.symbols.first { $0.name == "bpf_subprog" }?.visibility == .hidden)
    }

    @Test func whatIsWrittenIsStaticAndTagged() throws {
        let plan = try library("partly").refusing { $0.exports["difference"] = ["no"] }
        #expect(plan.object.exports.map { plan.verification(of: $0) } == [.once, .chain, .once, .once])
        #expect(plan.syntheticEntry?.functions == ["next", "difference", "distance", "redirected"])
        let written = try Object(bytes: plan.rewrittenObject(), name: "written")
        let difference = try #require(written.functions.first { $0.name == "difference" })
        #expect(difference.role == .body, "it has the tag now")
        #expect(written.symbols[difference.symbol.value].visibility == .hidden, "libbpf tells the kernel that it is static")
        #expect(written.functions.first { $0.name == "next" }?.role == .exported)
        // What was tagged by its author is not tagged again.
        let marked = try library("chain")
        let tags = { (object: Object) in object.btf?.types.filter { $0.name == Function.chainTag }.count }
        #expect(tags(try Object(bytes: marked.rewrittenObject(), name: "written")) == tags(marked.object))
    }

    @Test func whatIsNotKeptEitherIsLeftToBeCopied() throws {
        let plan = try library("chain").refusing { refusals in
            for name in ["bpf_subprog", "count_at"] { refusals.bodies[name] = ["no"] }
        }
        #expect(plan.syntheticEntry?.functions == ["doubled"])
        let all = try plan.refusing { $0.exports["doubled"] = ["no"] }.refusing { $0.bodies["doubled"] = ["no"] }
        #expect(all.carriesOnly && all.syntheticEntry?.functions == [])
    }

    @Test(.enabled(if: geteuid() == 0, "loading needs root"))
    func libbpfBringsStaticFunctionsToTheirProvider() async {
        await #expect(processExitsWith: .success) {
            var options = LinkOptions(entrySection: LibbpfLoad.section)
            options.kernelHasBodies = true
            let object = try Object(fixture: "chain")
            let plan = try link(object, options: options)
            let entry = try #require(plan.syntheticEntry)
            let prepared = try LibbpfLoad(plan.rewrittenObject(), hiding: object.exports.filter { $0.name == "doubled" }).prepared
            let code = object.functions.reduce(0) { $0 + $1.instructions.upperBound.value - $1.instructions.lowerBound.value }
            #expect(prepared.immediates.count == entry.instructionCount + code)
            #expect(prepared.functionCount == object.functions.count + 1)
            // Each reference is one to a function: where it begins, from the next instruction on.
            let starts = entry.functions.indices.map { 2 * $0 + 1 + Int(prepared.immediates[2 * $0]) }
            #expect(Set(starts).count == 3 && starts.allSatisfy { $0 >= entry.instructionCount })
        }
    }

    // MARK: Bindings

    @Test func anImportIsVerifiedAsItIsOffered() throws {
        let plan = try importer()
        let ways = Dictionary(uniqueKeysWithValues: plan.bindings.map { ($0.import.name, $0.verification) })
        #expect(ways == ["bpf_subprog": .chain, "count_at": .chain, "doubled": .once])
        #expect(plan.needsBodies)
        for fixup in plan.fixups {
            #expect(fixup.after.source == (fixup.because.contains("doubled") ? 3 : 4) && fixup.after.offset == 0)
        }
        let written = try Object(bytes: plan.rewrittenObject(), name: "written")
        let wanted = try #require(plan.object.imports.first { $0.name == "bpf_subprog" })
        #expect(written.btf?[wanted.typeID]?.content == plan.object.btf?[wanted.typeID]?.content, "it is still an extern")
    }

    @Test func anImportThatIsMarkedIsVerifiedWithTheProgram() throws {
        #expect(try importer("import_marked").bindings.map(\.verification) == [.chain])
        // Where the provider does not keep it, the contract is as good.
        #expect(try importer("import_marked", providing: provider(bodies: false)).bindings.map(\.verification) == [.once])
    }

    @Test func whatIsAskedForIsAllThereIs() throws {
        #expect(try importer(verification: .chain).bindings.allSatisfy { $0.verification == .chain })
        #expect(try importer("import_marked", verification: .once).bindings.map(\.verification) == [.once])
        let once = errors { try importer(verification: .once, mode: .auto) }
        #expect(once == ["bpf_subprog once", "count_at once"])
        #expect(errors { try importer(verification: .once, mode: .kernel) } == once)
        #expect(errors { try importer("import_marked", verification: .chain, providing: provider(bodies: false)) } == ["doubled chain"])
        // Nothing takes its place when the kernel refuses it.
        let plan = try importer(verification: .chain)
        #expect(plan.bindings.allSatisfy { plan.replacement(of: $0) == nil })
        #expect(try plan.refusing { $0.bodyImports["on_rename"] = ["bpf_subprog": ["no"]] }.bindings.count == plan.bindings.count)
    }

    @Test func whatWasRefusedOnceIsVerifiedWithTheProgramAndThenCopied() throws {
        let plan = try importer()
        let binding = try #require(plan.bindings.first { $0.import.name == "doubled" })
        #expect(plan.replacement(of: binding) == .chain)
        let chained = try plan.refusing { $0.imports["filter"] = ["doubled": ["no"]] }
        let second = try #require(chained.bindings.first { $0.import.name == "doubled" })
        #expect(second.verification == .chain && second.refusals == [Binding.Refusal(programs: ["filter"], words: ["no"])])
        #expect(chained.replacement(of: second) == .copy)
        let copied = try chained.refusing { $0.bodyImports["filter"] = ["doubled": ["not so either"]] }
        let third = try #require(copied.bindings.first { $0.import.name == "doubled" })
        #expect(third.verification == nil && third.refusals.map(\.words) == [["not so either"]])
        #expect(copied.copies.copied.map(\.name) == ["doubled"])
    }

    @Test func eachProgramIsBoundInTheWayThatIsLeftToIt() throws {
        let plan = try importer().refusing { $0.bodyImports["on_switch"] = ["bpf_subprog": ["no"]] }
        let parts = plan.bindings.filter { $0.import.name == "bpf_subprog" }
        #expect(parts.map(\.verification) == [nil, .chain])
        #expect(parts[0].import.sites.map(\.function) == ["on_switch"])
        #expect(parts[1].import.sites.map(\.function).contains("on_switch_too") && parts[1].import.sites.count == 6 && parts[1].refusals.isEmpty)
    }

    @Test func marksAndOrdersOfAStockKernelAreCopies() throws {
        let object = try Object(fixture: "chain")
        let carried = try Carried(root: 6, objects: [6: CarriedObject(object: object, maps: [".bss": 100], imports: [:])])
        let provider = ProviderSnapshot(
            reference: "7", id: 7, name: "chain", tag: "", type: "", exports: carried.exports, carried: carried)
        let plan = try importer(providing: provider)
        #expect(plan.copies.copied.filter(\.isImport).map(\.name) == ["bpf_subprog", "count_at", "doubled"])
        let written = try Object(bytes: plan.rewrittenObject(maps: [100: 5]), name: "written")
        #expect(Set(written.functions.filter { $0.role == .static }.map(\.name)) == ["bpf_subprog", "count_at", "added", "doubled"])
        #expect(written.imports.isEmpty && written.exports.isEmpty, "who has copies does not offer them")
    }

    // MARK: Programs of one object

    @Test func whatIsMarkedIsSharedByProgramsThatItIsVerifiedWith() throws {
        let plan = try shared("steps_chain")
        let function = try #require(plan.sharing.functions.first)
        #expect(plan.sharing.functions.count == 1 && function.name == "bpf_subprog" && function.isBody)
        #expect(function.chained.map(\.reason) == [.isMarked])
        #expect(function.chained.map(\.programs) == [plan.programs.map(\.name)] && plan.programs.count == 6)
        #expect(plan.fixups.count == 6 && plan.fixups.allSatisfy { $0.after.source == 4 })
        let written = try Object(bytes: plan.rewrittenObject(), name: "written")
        #expect(written.symbols.first { $0.name == "bpf_subprog" }?.visibility == .hidden)
    }

    @Test func whereNothingIsKeptItIsCopiedAndStatic() throws {
        let plan = try shared("steps_chain", bodies: false)
        #expect(!plan.isShared)
        #expect(plan.sharing.copies.map(\.reason) == [.isMarked])
        let written = try Object(bytes: plan.rewrittenObject(), name: "written")
        #expect(written.symbols.first { $0.name == "bpf_subprog" }?.visibility == .hidden, "the kernel is not to verify it by itself")
    }

    @Test func whatNoContractCanSayIsVerifiedWithPrograms() throws {
        let plan = try shared("steps_trusting")
        #expect(plan.sharing.functions.map(\.name) == ["first", "is_there"])
        #expect(plan.sharing.functions.map(\.isBody) == [false, true])
        #expect(try shared("steps_trusting", bodies: false).sharing.functions.map(\.name) == ["first"])
    }

    @Test func whatNoProviderCanExportIsKept() throws {
        let refused = try shared("steps_trusting").refusing { refusals in
            for type in ["tc", "socket"] { refusals.providers[type] = ["first": ["no"]] }
        }
        let first = try #require(refused.sharing.functions.first)
        #expect(first.name == "first" && first.isBody)
        #expect(first.chained.map(\.reason) == [.refused(["no"])])
        let written = try Object(bytes: refused.rewrittenObject(), name: "written")
        #expect(written.functions.filter { $0.role == .body }.map(\.name) == ["first", "is_there"])
        // What is not even kept is copied.
        let copied = try refused.refusing { $0.bodies["first"] = ["no"] }
        #expect(copied.sharing.functions.map(\.name) == ["is_there"])
        #expect(copied.sharing.copies.first { $0.name == "first" }?.reason == .refused(["no"]))
    }

    @Test func whatIsRefusedToOneProgramIsVerifiedWithItAndWithThoseThatHaveItsCode() throws {
        let plan = try shared("steps").refusing { $0.imports["on_queue"] = ["record": ["no"]] }
        let record = try #require(plan.sharing.functions.first { $0.name == "record" })
        #expect(!record.isBody && record.programs == ["on_rename", "on_switch", "on_queue", "on_arrival"])
        // record_packet() is a part of on_arrival, too, and calls it.
        #expect(record.chained.map(\.programs) == [["on_queue"], ["on_arrival"]])
        #expect(record.chained.map(\.reason) == [.refused(["no"]), .calledWith("record_packet")])
        let copied = try plan.refusing { $0.bodyImports["on_queue"] = ["record": ["no"]] }
        #expect(copied.sharing.copies.first { $0.name == "record" }?.programs == ["on_queue"])
    }

    @Test func whatIsAskedForHoldsForProgramsOfOneObject() throws {
        let all = try shared("steps", verification: .chain)
        #expect(all.sharing.functions.allSatisfy { $0.chained.map(\.programs) == [$0.programs] && $0.chained[0].reason == .isAsked })
        #expect(all.fixups.allSatisfy { $0.after.source == 4 })
        #expect(try !shared("steps_chain", verification: .once).isShared)
    }

    // MARK: -

    private func library(_ fixture: String, bodies: Bool = true) throws -> LinkPlan {
        var options = LinkOptions()
        options.kernelHasBodies = bodies
        return try link(Object(fixture: fixture), options: options)
    }

    private func shared(_ fixture: String, bodies: Bool = true, verification: Verification? = nil) throws -> LinkPlan {
        var options = LinkOptions()
        options.kernelHasBodies = bodies
        options.shares = true
        options.verification = verification
        return try link(Object(fixture: fixture), options: options)
    }

    /// What chain.bpf.c offers on a kernel that can, or cannot, keep it.
    private func provider(bodies: Bool = true) throws -> ProviderSnapshot {
        let object = try Object(fixture: "chain")
        let carried = CarriedObject(object: object, maps: [".bss": 100], imports: [:])
        return ProviderSnapshot(
            reference: "7", id: 7, name: "chain", tag: "0123456789abcdef", type: "socket_filter",
            exports: object.exports.map {
                ProviderExport(prototype: $0.prototype, isCallable: $0.function.role == .exported, hasBody: bodies)
            }, carried: try Carried(root: 6, objects: [6: carried]))
    }

    private func importer(
        _ fixture: String = "import_chain", verification: Verification? = nil, mode: LinkMode = .auto,
        providing provider: ProviderSnapshot? = nil
    ) throws -> LinkPlan {
        var options = LinkOptions()
        options.mode = mode
        options.verification = verification
        options.only = fixture == "import_chain" ? try Object(fixture: fixture).entryPrograms.map(\.name) : []
        return try link(Object(fixture: fixture), libraries: [try provider ?? self.provider()], options: options)
    }

    /// The imports that cannot be verified as it is asked for.
    private func errors(_ body: () throws -> LinkPlan) -> [String] {
        do {
            _ = try body()
            return []
        } catch {
            return (error as? LinkErrors)?.errors.map { error in
                guard case .notVerifiable(let wanted, let verification, _) = error else { return "\(error)" }
                return "\(wanted.name) \(verification)"
            } ?? ["\(error)"]
        }
    }
}
