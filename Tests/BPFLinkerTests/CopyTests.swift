// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFLinker
import BPFObject
import CLibbpf
import TestFixtures
import Testing

/// What is copied for an importer, and that what is written has it.
@Suite struct CopyTests {
    @Test func aFunctionBelowTwoImportsIsCopiedOnce() throws {
        let plan = try plan("import_socket", from: provider("subprog"))
        #expect(Set(plan.copies.copied.map(\.name)) == ["bpf_subprog", "count", "clamp", "bpf_subprog_scale"])
        #expect(plan.copies.copied.count == 4)
        #expect(plan.copies.copied.filter(\.isImport).map(\.name).sorted() == ["bpf_subprog", "bpf_subprog_scale"])
        #expect(plan.copies.mapIDs == [100, 101])
        #expect(plan.providers.isEmpty && plan.copiedProviders.map(\.id) == [17])
        #expect(plan.fixups.isEmpty)
    }

    @Test func whatALibraryImportsIsCopiedFromThatProvider() throws {
        let lower = try CarriedObject(object: Object(fixture: "subprog"), maps: ["counts": 100, ".bss": 101], imports: [:])
        let upper = try CarriedObject(
            object: Object(fixture: "library_on_library"), maps: [:],
            imports: ["bpf_subprog": 5, "bpf_subprog_scale": 5])
        let carried = try Carried(root: 6, objects: [5: lower, 6: upper])
        let plan = try plan("import_levels", from: provider(carried, name: "library_on_library"))
        #expect(plan.copies.sources.map(\.id) == [6, 5])
        #expect(
            plan.copies.copied.map { "\($0.object):\($0.name)" }.sorted() == [
                "library_on_library.bpf.o:bpf_subprog_scaled", "subprog.bpf.o:bpf_subprog", "subprog.bpf.o:bpf_subprog_scale",
                "subprog.bpf.o:clamp", "subprog.bpf.o:count",
            ])
        let merged = try Object(bytes: plan.rewrittenObject(maps: [100: 50, 101: 51]), name: "merged")
        #expect(merged.imports.isEmpty)
        #expect(merged.functions.filter { $0.role == .static }.count == 5)
        #expect(merged.calls.count == 6)
    }

    @Test func copiesUseTheMapsTheyAreGivenAndNoOthers() throws {
        let plan = try plan("import_rich", from: provider("rich", maps: Self.richMaps))
        let numbers = Dictionary(uniqueKeysWithValues: Self.richMaps.values.map { ($0, Int32($0) + 1000) })
        let merged = try Object(bytes: plan.rewrittenObject(maps: numbers), name: "merged")
        let own = try Object(fixture: "import_rich")
        #expect(merged.sections.map(\.name).filter { $0.hasPrefix(".") && !$0.hasPrefix(".rel") }
            == own.sections.map(\.name).filter { $0.hasPrefix(".") && !$0.hasPrefix(".rel") })
        var used: Set<Int32> = []
        for function in merged.functions where function.role == .static {
            var at = function.instructions.lowerBound
            while at < function.instructions.upperBound {
                let instruction = try #require(merged.instruction(at, of: function.section))
                if instruction.isWideLoad, instruction.source == 1 || instruction.source == 2 { used.insert(instruction.immediate) }
                at = at + (instruction.isWideLoad ? 2 : 1)
            }
        }
        #expect(used.isSubset(of: numbers.values))
        #expect(used.count >= 7)
    }

    @Test func libbpfOpensAnImporterWithCopies() async {
        await #expect(processExitsWith: .success) {
            let plan = try CopyTests().plan("import_rich", from: CopyTests().provider("rich", maps: CopyTests.richMaps))
            let numbers = Dictionary(uniqueKeysWithValues: CopyTests.richMaps.values.map { ($0, Int32($0)) })
            let opened = try OpenObject(plan.rewrittenObject(maps: numbers))
            #expect(Set(opened.programNames()) == Set(plan.object.entryPrograms.map(\.name)))
            // The maps are the importer's alone: its own, and that of what libbpf finds in the kernel's configuration.
            var names: [String] = []
            var map = bpf_object__next_map(opened.handle, nil)
            while let next = map {
                names.append(String(cString: bpf_map__name(next)))
                map = bpf_object__next_map(opened.handle, next)
            }
            #expect(names.count == 5)
            #expect([".data", ".rodata", ".bss", ".kconfig"].allSatisfy { end in names.contains { $0.hasSuffix(end) } })
        }
    }

    @Test func whatIsGlobalIsAGlobalCopyUntilTheVerifierRefusesIt() throws {
        let plan = try plan("import_rich", from: provider("rich", maps: Self.richMaps))
        let exported = Set(try Object(fixture: "rich").exports.map(\.name)).intersection(plan.copies.copied.map(\.name))
        #expect(try globalCopies(plan) == exported && exported.count > 5)
        #expect(plan.verifiesCopiesOnce(in: "hash_map"))
        let followed = try plan.refusing { $0.copiesAsGlobals = true }
        #expect(try globalCopies(followed).isEmpty && followed.verifiesCopiesOnce(in: "hash_map") == false)
    }

    /// There a global function may be an export.
    @Test func whereProgramsExportCopiesAreStatic() throws {
        #expect(try globalCopies(plan("import_rich", from: provider("rich", maps: Self.richMaps), mode: .auto)).isEmpty)
    }

    @Test func aCallbackIsAStaticCopy() throws {
        #expect(try globalCopies(plan("import_called_back", from: provider("called_back", maps: [:]))) == ["sum_below"])
    }

    /// The copies that are global functions to the kernel.
    private func globalCopies(_ plan: LinkPlan) throws -> Set<String> {
        let numbers = Dictionary(uniqueKeysWithValues: plan.copies.mapIDs.map { ($0, Int32($0)) })
        let merged = try Object(bytes: plan.rewrittenObject(maps: numbers), name: "merged")
        let global = merged.functions.filter { function in
            guard let type = function.typeID.flatMap({ merged.btf?[$0] }), case .function(_, .global) = type.content else { return false }
            return function.role == .static
        }
        return Set(global.map(\.name))
    }

    @Test func aMarkedImportIsNoGlobalCopy() throws {
        let marked = try plan("import_marked", from: provider("chain"))
        #expect(marked.copies.copied.map(\.name) == ["doubled"] && marked.verifiesCopiesOnce(in: "filter") == false)
    }

    @Test func aWeakImportOfALibraryCountsOnInTheNumbersOfPoison() throws {
        let plan = try plan("import_rich", from: provider("rich", maps: Self.richMaps))
        let own = plan.object.imports.count
        #expect(plan.poisonedImport(Poison.immediate(forImport: own)) == "not_there")
        #expect(plan.poisonedImport(Poison.immediate(forImport: own + 1)) == nil)
        #expect(plan.poisonedImport(Poison.immediate(forImport: 0)) == plan.object.imports[0].name)
    }

    @Test func aProviderWithoutItsObjectCannotBeCopiedFrom() throws {
        guard case .notCopyable(let wanted, _)? = failure("import_kprobe", try ProviderSnapshot(fixture: "subprog"), .copy) else {
            Issue.record("bpf_subprog was copied")
            return
        }
        #expect(wanted.name == "bpf_subprog")
    }

    @Test func aProviderWithoutExportsCannotBeCalled() throws {
        guard case .notCallable(let wanted, _)? = failure("import_kprobe", try provider("subprog"), .kernel) else {
            Issue.record("bpf_subprog was bound")
            return
        }
        #expect(wanted.name == "bpf_subprog")
    }

    @Test func aCarriedObjectWithoutItsProviderIsNoticed() throws {
        let upper = try CarriedObject(object: Object(fixture: "library_on_library"), maps: [:], imports: [:])
        let carried = try Carried(root: 6, objects: [6: upper])
        guard case .notCarried(let name, _)? = failure("import_levels", provider(carried, name: "upper"), .copy) else {
            Issue.record("it was linked")
            return
        }
        #expect(["bpf_subprog", "bpf_subprog_scale"].contains(name))
    }

    @Test func carriedObjectsThatDoNotFitTogetherAreRefused() throws {
        let object = try Object(fixture: "subprog")
        #expect(throws: CarriedError.missing(8)) {
            try Carried(root: 7, objects: [7: CarriedObject(object: object, maps: [:], imports: ["f": 8])])
        }
        #expect(throws: CarriedError.cycle(7)) {
            try Carried(
                root: 7,
                objects: [
                    7: CarriedObject(object: object, maps: [:], imports: ["f": 8]),
                    8: CarriedObject(object: object, maps: [:], imports: ["g": 7]),
                ])
        }
    }

    @Test func autoChoosesWhatTheProviderHas() throws {
        #expect(try plan("import_socket", from: ProviderSnapshot(fixture: "subprog"), mode: .auto).providers.count == 1)
        #expect(try plan("import_socket", from: provider("subprog"), mode: .auto).copiedProviders.count == 1)
    }

    @Test func aLibraryForCopiesHasATagOfItsOwn() throws {
        var options = LinkOptions()
        options.kernelHasCalls = false
        let plan = try link(Object(fixture: "subprog"), options: options)
        #expect(plan.carriesOnly)
        let entry = try #require(plan.syntheticEntry)
        #expect(entry.functions.isEmpty && entry.digest != nil)
        let other = try link(Object(fixture: "memory"), options: options)
        #expect(other.syntheticEntry?.digest != entry.digest)
        options.mode = .kernel
        #expect(try link(Object(fixture: "subprog"), options: options).carriesOnly == false)
    }

    /// The maps of rich.bpf.c.
    static let richMaps: [String: UInt32] = [
        "counts": 200, "scratch": 201, "inner": 202, "outer": 203, ".data": 204, ".bss": 205, ".rodata": 206,
        ".data.placed": 207, ".rodata.cst16": 208, ".rodata.str1.1": 209, ".kconfig": 210,
    ]

    func provider(
        _ fixture: String, maps: [String: UInt32] = ["counts": 100, ".bss": 101]
    ) throws -> ProviderSnapshot {
        let object = try CarriedObject(object: Object(fixture: fixture), maps: maps, imports: [:])
        return provider(try Carried(root: 6, objects: [6: object]), name: fixture)
    }

    private func provider(_ carried: Carried, name: String) -> ProviderSnapshot {
        ProviderSnapshot(
            reference: "7", id: 17, name: name, tag: "0123456789abcdef", type: "socket_filter", exports: carried.exports,
            carried: carried)
    }

    func plan(_ fixture: String, from provider: ProviderSnapshot, mode: LinkMode = .copy) throws -> LinkPlan {
        var options = LinkOptions()
        options.mode = mode
        return try link(Object(fixture: fixture), libraries: [provider], options: options)
    }

    private func failure(_ fixture: String, _ provider: ProviderSnapshot, _ mode: LinkMode) -> LinkError? {
        do {
            _ = try plan(fixture, from: provider, mode: mode)
            return nil
        } catch {
            return (error as? LinkErrors)?.errors.first
        }
    }
}
