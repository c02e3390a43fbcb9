// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFObject
import TestFixtures
import Testing

/// What reading real objects finds.
@Suite struct ObjectTests {
    @Test func aLibraryExportsItsGlobalFunctionsAndNothingElse() throws {
        let object = try Object(fixture: "subprog")
        #expect(object.isLibrary)
        #expect(object.exports.map(\.name) == ["bpf_subprog", "bpf_subprog_total", "bpf_subprog_scale"])
        #expect(object.imports.isEmpty)
        #expect(object.license == "Dual BSD/GPL")
        let roles = Dictionary(uniqueKeysWithValues: object.functions.map { ($0.name, $0.role) })
        #expect(roles["count"] == .static)
        #expect(roles["clamp"] == .hidden)
        #expect(roles["bpf_subprog"] == .exported)
    }

    @Test func whatIsMarkedIsABodyWhateverItsLinkage() throws {
        let object = try Object(fixture: "chain")
        let roles = Dictionary(uniqueKeysWithValues: object.functions.map { ($0.name, $0.role) })
        #expect(roles == ["bpf_subprog": .body, "count_at": .body, "added": .static, "doubled": .exported])
        #expect(object.exports.map(\.name) == ["bpf_subprog", "count_at", "doubled"])
        #expect(object.symbols[object.exports[0].function.symbol.value].binding == .global)
        #expect(object.symbols[object.exports[1].function.symbol.value].binding == .local)
        // An unused parameter of a static function would be dropped, and so would the function.
        #expect("\(object.exports[1].prototype)" == "int count_at(long *place, int times)")
    }

    @Test func anImportCanBeMarked() throws {
        #expect(try Object(fixture: "import_marked").imports.map(\.isMarked) == [true])
        #expect(try Object(fixture: "import_chain").imports.map(\.isMarked) == [false, false, false])
    }

    @Test func exportsShowTheirPrototypes() throws {
        let object = try Object(fixture: "subprog")
        #expect(
            object.exports.map { "\($0.prototype)" } == [
                "int bpf_subprog(int kind, const struct event *event)", "unsigned long bpf_subprog_total(void)",
                "int bpf_subprog_scale(int value, unsigned short factor)",
            ])
    }

    @Test(arguments: [
        ("import_kprobe", "on_rename", "kprobe/__set_task_comm"),
        ("import_tracepoint", "on_switch", "tracepoint/sched/sched_switch"),
        ("import_cgroup", "on_packet", "cgroup_skb/ingress"), ("import_xdp", "on_frame", "xdp"),
        ("import_tc", "on_traffic", "tc"), ("import_socket", "filter", "socket"),
    ])
    func aFunctionInASectionOfItsOwnIsAProgram(fixture: String, name: String, section: String) throws {
        let object = try Object(fixture: fixture)
        #expect(object.entryPrograms.map(\.name) == [name])
        #expect(object.entryPrograms.map(\.sectionName) == [section])
        #expect(!object.isLibrary)
    }

    @Test func anImportTellsEveryPlaceThatUsesIt() throws {
        let object = try Object(fixture: "import_socket")
        let places = Dictionary(uniqueKeysWithValues: object.imports.map { ($0.name, $0.sites.map(\.function)) })
        #expect(places == ["bpf_subprog": ["filter", "filter"], "bpf_subprog_scale": ["twice"]])
        let site = try #require(object.imports.first { $0.name == "bpf_subprog_scale" }?.sites.first)
        #expect(site.description == "`twice` (section .text, instruction \(site.instruction), import_socket.bpf.c:9)")
    }

    @Test func anImportShowsWhatItWasDeclaredAs() throws {
        let object = try Object(fixture: "import_kprobe")
        #expect(object.imports.map { "\($0.prototype)" } == ["int bpf_subprog(int, const struct event *)"])
        #expect(!object.imports[0].isWeak)
    }

    @Test func aWeakImportIsMarkedAndTellsCallAndAddressApart() throws {
        let object = try Object(fixture: "weak")
        let wanted = try #require(object.imports.first)
        #expect(wanted.isWeak)
        #expect(wanted.sites.map(\.use) == [.address, .call])
    }

    @Test func externsThatLibbpfResolvesAreNotImports() throws {
        let object = try Object(fixture: "externs")
        #expect(object.imports.map(\.name) == ["bpf_subprog_scale"])
    }

    @Test func theCallGraphFollowsCallsWithAndWithoutRelocation() throws {
        let object = try Object(fixture: "subprog")
        func reachable(_ name: String) throws -> Set<String> {
            let index = try #require(object.functions.firstIndex { $0.name == name })
            return Set(object.reachableFunctions(from: index).map { object.functions[$0].name })
        }
        #expect(try reachable("bpf_subprog") == ["bpf_subprog", "count", "clamp"])
        #expect(try reachable("bpf_subprog_scale") == ["bpf_subprog_scale", "clamp"])
        #expect(try reachable("count") == ["count"])
        let importer = try Object(fixture: "import_socket")
        let filter = try #require(importer.functions.firstIndex { $0.name == "filter" })
        #expect(importer.reachableFunctions(from: filter).map { importer.functions[$0].name } == ["twice", "filter"])
    }

    @Test func everyFixtureCanBeRead() throws {
        #expect(!Fixture.names.isEmpty)
        // `stored` is what an object must not do.
        for name in Fixture.names where name != "stored" { _ = try Object(fixture: name) }
    }
}
