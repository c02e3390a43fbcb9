// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFLinker
import BPFObject
import TestFixtures
import Testing

/// Objects linked to each other: order, circles, and who decides.
@Suite struct GraphTests {
    @Test func providersComeBeforeTheirImportersElseTheOrderIsTheGivenOne() throws {
        let plan = try graph("plain", "import_levels", "library_on_library", "memory", "subprog")
        #expect(names(plan) == ["plain", "subprog", "library_on_library", "import_levels", "memory"])
        #expect(plan.steps.map(\.number) == [0, 4, 2, 1, 3])
    }

    @Test func everyOrderOfTheObjectsIsLinkedAlike() throws {
        let objects = ["import_levels", "import_socket", "library_on_library", "subprog"]
        for order in permutations(objects) {
            let plan = try graph(order)
            let loaded = names(plan)
            for step in plan.steps {
                for provider in step.plan.boundProviders.values {
                    let number = try #require(provider.plannedNumber)
                    let position = try #require(plan.steps.firstIndex { $0.number == number })
                    #expect(position < loaded.firstIndex(of: step.plan.object.baseName)!)
                }
            }
        }
    }

    @Test func objectsThatImportFromEachOtherAreToldTheWayRound() throws {
        guard case .circularImports(let chains)? = failures(["circle_two", "circle_three", "plain", "circle_one"]).first else {
            Issue.record("the circle was linked")
            return
        }
        #expect(
            chains.map { $0.map(\.description) } == [[
                "circle_two.bpf.o:step_two", "circle_three.bpf.o:circle_three", "circle_three.bpf.o:step_three",
                "circle_one.bpf.o:circle_one", "circle_one.bpf.o:step_one", "circle_two.bpf.o:circle_two",
                "circle_two.bpf.o:step_two",
            ]])
    }

    @Test func whereNoCallLeadsRoundNoneIsTold() {
        guard case .circularImports(let chains)? = failures(["loose_one", "loose_two"]).first else {
            Issue.record("the circle was linked")
            return
        }
        #expect(
            chains.map { $0.map(\.description) } == [
                ["loose_one.bpf.o:calls_two", "loose_two.bpf.o:loose_two"],
                ["loose_two.bpf.o:calls_one", "loose_one.bpf.o:loose_one"],
            ])
    }

    @Test func aCircleThatALoadedProgramBreaksIsNone() throws {
        let loaded = try ProviderSnapshot(fixture: "circle_one")
        let request = ImportRequest(name: "circle_one", provider: loaded)
        let plan = try link(members(["circle_two", "circle_three"]), imports: [request])
        #expect(names(plan) == ["circle_three", "circle_two"])
    }

    @Test func oneNameOfTwoObjectsIsAmbiguousUnlessARequestDecides() throws {
        let objects = try [member("import_kprobe"), member("subprog", "a.bpf.o"), member("subprog", "b.bpf.o")]
        let errors = failures { try link(objects) }
        guard case .ambiguous(let wanted, let providers)? = errors.first, errors.count == 1 else {
            Issue.record("\(errors)")
            return
        }
        #expect(wanted.name == "bpf_subprog" && providers.map(\.description) == ["a.bpf.o", "b.bpf.o"])
        let plan = try link(objects, memberImports: [MemberRequest(name: "bpf_subprog", member: 2)])
        #expect(plan.steps.first { $0.number == 0 }?.plan.providers.map(\.description) == ["b.bpf.o"])
    }

    @Test func anObjectAndALoadedLibraryOfOneNameAreAmbiguous() throws {
        let errors = failures {
            try link(members(["import_kprobe", "subprog"]), libraries: [ProviderSnapshot(fixture: "subprog", reference: "id=17")])
        }
        guard case .ambiguous(_, let providers)? = errors.first else {
            Issue.record("\(errors)")
            return
        }
        #expect(providers.map(\.description) == ["subprog.bpf.o", "id=17 (subprog, id 17)"])
    }

    @Test func theSearchPathIsForWhatIsNotFoundOtherwise() throws {
        let first = try ProviderSnapshot(fixture: "subprog", reference: "first", id: 1)
        let second = try ProviderSnapshot(fixture: "subprog", reference: "second", id: 2)
        let plan = try link(members(["import_kprobe"]), searchPath: [[first], [second]])
        #expect(plan.steps[0].plan.providers.map(\.id) == [1])
        let object = try link(members(["import_kprobe", "subprog"]), searchPath: [[first], [second]])
        #expect(object.steps[1].plan.providers.map(\.description) == ["subprog.bpf.o"])
        guard case .ambiguous? = failures({ try link(members(["import_kprobe"]), searchPath: [[], [first, second]]) }).first else {
            Issue.record("one of two in one directory was taken")
            return
        }
    }

    @Test func programsAreOfferedOnRequestOnly() throws {
        let importer = try member("import_twice")
        let errors = failures { try link([importer, member("import_socket"), member("subprog")]) }
        guard case .undefinedImport(_, let searched, _, let withheld)? = errors.first else {
            Issue.record("a function of an object with programs was taken without being asked for")
            return
        }
        #expect(withheld == ["import_socket.bpf.o"])
        // It comes before the importer or behind it: it is searched.
        #expect(searched.map(\.description) == ["subprog.bpf.o"])
        let objects = try [importer, GraphMember(Object(fixture: "import_socket"), offersExports: true), member("subprog")]
        #expect(names(try link(objects)) == ["subprog", "import_socket", "import_twice"])
    }

    @Test func everyMistakeInEveryObjectIsTold() throws {
        let errors = failures(["import_kprobe", "import_xdp", "wrong_count", "subprog"].filter { $0 != "subprog" })
        #expect(errors.count == 3)
        #expect(errors.allSatisfy { if case .undefinedImport = $0 { true } else { false } })
        let library = try ProviderSnapshot(fixture: "subprog")
        let request = ImportRequest(name: "bpf_subprg", provider: library)
        guard case .notImported? = failures({ try link(members(["import_kprobe", "subprog"]), imports: [request]) }).first else {
            Issue.record("a request for what nobody imports was passed over")
            return
        }
    }

    @Test func whatFollowsFromAMistakeIsNotToldAsAnother() throws {
        let libraries = try [member("subprog", "a.bpf.o"), member("subprog", "b.bpf.o")]
        var options = LinkOptions()
        options.mode = .copy
        let importers = try members(["import_levels", "library_on_library"])
        for objects in [libraries + importers, importers] {
            let errors = failures { try link(objects, options: options) }
            // Both are of the library between: of what it imports.
            #expect(errors.count == 2)
            #expect(
                errors.allSatisfy {
                    switch $0 {
                    case .ambiguous, .undefinedImport: true
                    default: false
                    }
                }, "\(errors)")
        }
    }

    @Test func anObjectOfWhoseProgramsNoneIsLeftIsTold() throws {
        var options = LinkOptions()
        options.only = ["on_rename"]
        let errors = failures { try link(members(["import_kprobe", "weak", "subprog"]), options: options) }
        guard case .nothingChosen(let programs)? = errors.first, errors.count == 1 else {
            Issue.record("\(errors)")
            return
        }
        #expect(programs == ["filter"])
        options.only = ["nobody"]
        #expect(failures { try link(members(["import_kprobe", "weak", "subprog"]), options: options) }.count == 1)
    }

    @Test func choicesAreOfTheProgramsOfAllObjects() throws {
        var options = LinkOptions()
        options.only = ["on_rename"]
        #expect(try link(members(["import_kprobe", "subprog"]), options: options).steps.count == 2)
        options.only = ["on_renam"]
        let errors = failures { try link(members(["import_kprobe", "subprog"]), options: options) }
        guard case .noSuchProgram? = errors.first else {
            Issue.record("\(errors)")
            return
        }
    }

    @Test(arguments: [LinkMode.kernel, .copy])
    func whatIsLoadedTakesThePlaceOfWhatWasPlanned(mode: LinkMode) throws {
        var options = LinkOptions()
        options.mode = mode
        let step = try #require(try link(members(["import_socket", "subprog"]), options: options).steps.last)
        #expect(step.plan.boundProviders.values.allSatisfy { $0.plannedNumber == 1 })
        let loaded = mode == .copy ? try CopyTests().provider("subprog") : try ProviderSnapshot(fixture: "subprog")
        var asked: Set<String> = []
        let bound = try step.plan.bound { number, function in
            #expect(number == 1)
            asked.insert(function)
            return loaded
        }
        #expect(asked == ["bpf_subprog", "bpf_subprog_scale"])
        #expect(bound.boundProviders.values.allSatisfy { $0.id == 17 })
        #expect(throws: LinkErrors.self) { try step.plan.bound { _, _ in nil } }
    }

    // MARK: Objects

    private func member(_ fixture: String, _ name: String? = nil) throws -> GraphMember {
        GraphMember(try Object(bytes: Fixture.bytes(fixture), name: name ?? "\(fixture).bpf.o"))
    }

    private func members(_ fixtures: [String]) throws -> [GraphMember] { try fixtures.map { try member($0) } }

    private func graph(_ fixtures: String...) throws -> GraphPlan { try graph(fixtures) }

    private func graph(_ fixtures: [String]) throws -> GraphPlan { try link(members(fixtures)) }

    private func names(_ plan: GraphPlan) -> [String] { plan.steps.map(\.plan.object.baseName) }

    private func failures(_ fixtures: [String]) -> [LinkError] { failures { try graph(fixtures) } }

    private func failures(_ body: () throws -> GraphPlan) -> [LinkError] {
        do {
            _ = try body()
            return []
        } catch {
            return (error as? GraphErrors)?.errors.map(\.error) ?? []
        }
    }

    private func permutations(_ items: [String]) -> [[String]] {
        items.isEmpty
            ? [[]]
            : items.indices.flatMap { index in
                var rest = items
                let first = rest.remove(at: index)
                return permutations(rest).map { [first] + $0 }
            }
    }
}

extension Object {
    fileprivate var baseName: String { String(name.prefix { $0 != "." }) }
}
