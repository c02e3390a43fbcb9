// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
@testable import BPFLinker
import BPFObject
import Testing

/// The rules of resolution, one test each.
@Suite struct LinkTests {
    @Test func aRequestBindsAnImport() throws {
        let library = try ProviderSnapshot(fixture: "subprog")
        let plan = try link(
            Object(fixture: "import_kprobe"), imports: [ImportRequest(name: "bpf_subprog", provider: library)])
        #expect(plan.providers.map(\.id) == [17])
        guard case .call(let export, let slot, .once) = plan.bindings[0].target else {
            Issue.record("not bound")
            return
        }
        #expect(export.name == "bpf_subprog")
        #expect(slot == ProviderSlot(0))
    }

    @Test func aCallBecomesACallToTheProvidersSlotWithTheImportersOwnTypeID() throws {
        let object = try Object(fixture: "import_kprobe")
        let plan = try link(object, libraries: [ProviderSnapshot(fixture: "subprog")])
        let fixup = try #require(plan.fixups.first)
        #expect(plan.fixups.count == 1)
        #expect(fixup.after == Instruction(
            opcode: 0x85, source: 3, offset: 0, immediate: Int32(object.imports[0].typeID.value)))
        #expect(
            "\(fixup)" == "kprobe/__set_task_comm+\(fixup.instruction): call src=1 off=0 imm=-1 -> call src=3 off=0 "
                + "imm=\(object.imports[0].typeID)  # call of `bpf_subprog`: in slot 0, 7 (subprog, id 17)")
    }

    @Test func importsFromOneProviderShareASlotHoweverItIsNamed() throws {
        let plan = try link(
            Object(fixture: "import_socket"),
            imports: [
                ImportRequest(name: "bpf_subprog", provider: ProviderSnapshot(fixture: "subprog", reference: "7")),
                ImportRequest(name: "bpf_subprog_scale", provider: ProviderSnapshot(fixture: "subprog", reference: "id=17")),
            ])
        #expect(plan.providers.count == 1)
        #expect(Set(plan.fixups.map(\.after.offset)) == [0])
        #expect(plan.fixups.count == 3)
    }

    @Test func everyProviderHasASlotOfItsOwn() throws {
        let plan = try link(
            Object(fixture: "import_socket"),
            imports: [
                ImportRequest(name: "bpf_subprog", provider: ProviderSnapshot(fixture: "subprog", id: 17)),
                ImportRequest(name: "bpf_subprog_scale", provider: ProviderSnapshot(fixture: "subprog", id: 18)),
            ])
        #expect(Set(plan.providers.map(\.id)) == [17, 18])
        #expect(Set(plan.fixups.map(\.after.offset)) == [0, 1])
    }

    @Test func aNameThatNobodyOffersIsUndefined() throws {
        let errors = failure(try Object(fixture: "import_kprobe"))
        guard case .undefinedImport(let wanted, let searched, let candidates, let withheld)? = errors.first else {
            Issue.record("\(errors)")
            return
        }
        #expect(wanted.name == "bpf_subprog")
        #expect(searched.isEmpty && candidates.isEmpty && withheld.isEmpty)
    }

    @Test func aRequestForWhatAProviderDoesNotExportSuggestsWhatItDoes() throws {
        let provider = try ProviderSnapshot(fixture: "library_on_library")
        let errors = failure(
            try Object(fixture: "import_kprobe"), imports: [ImportRequest(name: "bpf_subprog", provider: provider)])
        guard case .noSuchExport(let request, _, let candidates)? = errors.first else {
            Issue.record("\(errors)")
            return
        }
        #expect(request.text == "7:bpf_subprog")
        #expect(candidates.isEmpty)
    }

    @Test func aNearNameIsSuggestedAndSaidToFit() throws {
        var provider = try ProviderSnapshot(fixture: "subprog")
        provider = ProviderSnapshot(
            reference: "7", id: 1, name: "lib", tag: "", type: "socket_filter",
            exports: provider.exports.filter { $0.name != "bpf_subprog_scale" })
        let errors = failure(
            try Object(fixture: "wrong_type"), imports: [ImportRequest(name: "bpf_subprog_scale", provider: provider)])
        guard case .noSuchExport(_, _, let candidates)? = errors.first else {
            Issue.record("\(errors)")
            return
        }
        #expect(candidates.map(\.export.name) == ["bpf_subprog_total"])
        #expect(candidates.map(\.agrees) == [false])
    }

    @Test func aRequestForWhatTheObjectDoesNotImportIsAnError() throws {
        let library = try ProviderSnapshot(fixture: "subprog")
        let errors = failure(
            try Object(fixture: "import_kprobe"),
            imports: [
                ImportRequest(name: "bpf_subprog", provider: library), ImportRequest(name: "bpf_subprg", provider: library),
            ])
        guard case .notImported(let request, let imports, let similar)? = errors.first else {
            Issue.record("\(errors)")
            return
        }
        #expect(errors.count == 1)
        #expect(request.name == "bpf_subprg")
        #expect(imports == ["bpf_subprog"])
        #expect(similar == ["bpf_subprog"])
    }

    @Test func twoProvidersOfOneNameAreAnErrorUnlessARequestDecides() throws {
        let object = try Object(fixture: "import_kprobe")
        let libraries = try [ProviderSnapshot(fixture: "subprog", id: 1), ProviderSnapshot(fixture: "subprog", id: 2)]
        let errors = failure(object, libraries: libraries)
        guard case .ambiguous(_, let providers)? = errors.first else {
            Issue.record("\(errors)")
            return
        }
        #expect(providers.map(\.id) == [1, 2])
        let plan = try link(
            object, imports: [ImportRequest(name: "bpf_subprog", provider: libraries[1])], libraries: libraries)
        #expect(plan.providers.map(\.id) == [2])
    }

    @Test func programsOfOneObjectAreOneProvider() throws {
        let copied = try CopyTests().provider("subprog")
        func program(_ id: UInt32, isCallable: Bool, hasBody: Bool = false) -> ProviderSnapshot {
            ProviderSnapshot(
                reference: "id=\(id)", id: id, name: "p\(id)", tag: copied.tag, type: copied.type,
                exports: copied.exports.map {
                    ProviderExport(prototype: $0.prototype, isCallable: isCallable, hasBody: hasBody)
                }, carried: copied.carried)
        }
        let object = try Object(fixture: "import_kprobe")
        let copies = [program(1, isCallable: false), program(2, isCallable: false)]
        #expect(try link(object, libraries: copies).copiedProviders.map(\.id) == [1])
        #expect(try link(object, searchPath: [copies]).copiedProviders.map(\.id) == [1])
        // What can be called is preferred, by its contract before anything else.
        let kept = copies + [program(3, isCallable: false, hasBody: true)]
        #expect(try link(object, libraries: kept).providers.map(\.id) == [3])
        #expect(try link(object, libraries: kept + [program(4, isCallable: true)]).providers.map(\.id) == [4])
        // Another object's function is another one.
        let errors = try failure(object, libraries: copies + [ProviderSnapshot(fixture: "subprog", id: 5)])
        guard case .ambiguous(_, let providers)? = errors.first else {
            Issue.record("\(errors)")
            return
        }
        #expect(providers.map(\.id) == [1, 5])
    }

    @Test func requestsThatContradictEachOtherAreAnError() throws {
        let errors = failure(
            try Object(fixture: "import_kprobe"),
            imports: [
                ImportRequest(name: "bpf_subprog", provider: try ProviderSnapshot(fixture: "subprog", id: 1)),
                ImportRequest(name: "bpf_subprog", provider: try ProviderSnapshot(fixture: "subprog", id: 2)),
            ])
        guard case .conflictingRequests(_, let requests)? = errors.first else {
            Issue.record("\(errors)")
            return
        }
        #expect(requests.count == 2)
    }

    @Test(arguments: ["wrong_count", "wrong_type", "wrong_struct"])
    func aPrototypeThatDiffersIsAnErrorWithBoth(fixture: String) throws {
        let errors = failure(try Object(fixture: fixture), libraries: [try ProviderSnapshot(fixture: "subprog")])
        guard case .prototypeMismatch(let wanted, _, let export, let difference)? = errors.first else {
            Issue.record("\(errors)")
            return
        }
        #expect(wanted.name == export.name)
        #expect(!difference.description.isEmpty)
    }

    @Test func errorsAreCollected() throws {
        let library = try ProviderSnapshot(fixture: "library_on_library")
        let errors = failure(
            try Object(fixture: "import_socket"), imports: [ImportRequest(name: "bpf_subprog", provider: library)])
        #expect(errors.count == 2)
    }

    @Test func aWeakImportThatNobodyOffersIsPoisonedAndItsAddressIsZero() throws {
        let plan = try link(Object(fixture: "weak"))
        #expect(plan.providers.isEmpty)
        #expect(plan.fixups.map(\.after) == [
            Instruction(opcode: 0x18, destination: plan.fixups[0].before.destination),
            Instruction(opcode: 0x85, immediate: Poison.immediate(forImport: 0)),
        ])
        #expect(Poison.importIndex(of: Poison.immediate(forImport: 0)) == 0)
        #expect(Poison.importIndex(of: 1) == nil)
    }

    @Test func aWeakImportThatIsOfferedTestsAsThere() throws {
        let plan = try link(Object(fixture: "weak"), libraries: [ProviderSnapshot(fixture: "subprog")])
        #expect(plan.fixups.map(\.after.immediate) == [1, Int32(plan.object.imports[0].typeID.value)])
        #expect(plan.fixups.map(\.after.source) == [0, 3])
    }

    @Test func theAddressOfAStrongImportCannotBeTaken() throws {
        let errors = failure(try Object(fixture: "address"))
        #expect(errors.count == 1)
    }

    @Test func aLibraryGetsAnEntryThatRefersToEveryExport() throws {
        let plan = try link(Object(fixture: "subprog"), options: LinkOptions(entrySection: "kprobe"))
        #expect(
            plan.syntheticEntry
                == SyntheticEntry(
                    name: "subprog", sectionName: "kprobe",
                    functions: ["bpf_subprog", "bpf_subprog_total", "bpf_subprog_scale"]))
    }

    @Test func anObjectWithProgramsGetsNoEntry() throws {
        #expect(try link(Object(fixture: "plain")).syntheticEntry == nil)
    }

    @Test func distanceCountsEdits() {
        #expect(nameDistance("bpf_subprog", "bpf_subprog") == 0)
        #expect(nameDistance("bpf_subprg", "bpf_subprog") == 1)
        #expect(nameDistance("kitten", "sitting") == nil)
        #expect(nameDistance("a", "b") == 1)
        #expect(nameDistance("short", "a_much_longer_name") == nil)
    }

    private func failure(
        _ object: Object, imports: [ImportRequest] = [], libraries: [ProviderSnapshot] = []
    ) -> [LinkError] {
        do throws(LinkErrors) {
            _ = try link(object, imports: imports, libraries: libraries)
            return []
        } catch {
            return error.errors
        }
    }
}
