// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Testing
import VMProtocol

@testable import VMRunner

@Suite struct SelftestsDataTests {
    @Test func shippedListsCanBeRead() throws {
        let lists = try SelftestLists(SplatRulesTests.installation, .series)
        #expect(!lists.quick.isEmpty)
        #expect(lists.plural.tests(of: .progs).contains("cpumask"))
        // What the checkers leave out besides is of the part that is run with them.
        let all = try SelftestLists(SplatRulesTests.installation, .checkers).deny.entries
        let besides = all.dropFirst(lists.deny.entries.count)
        #expect(!besides.isEmpty && besides.allSatisfy { lists.quick.contains($0.test) })
    }

    @Test func listsHaveReasons() throws {
        let list = try SelftestList(
            parsing: "# words\n\ntest_progs* a/b # slow: really #1\nveristat x.bpf.o # huge\n", name: "deny")
        #expect(list.tests(of: .progsCPUv4) == ["a/b"])
        #expect(list.tests(of: .veristat) == ["x.bpf.o"])
        #expect(list.entries[0].reason == "slow: really #1")
        for (text, words) in [
            ("test_progs a\n", "deny:1: 'a' has no reason"),
            ("\ntest_progs a # \n", "deny:2: 'a' has no reason"),
            ("a # why\n", "deny:1: expected `SUITE TEST # reason`, not 'a # why'"),
            ("test_prog a # why\n", "deny:1: no suite is named 'test_prog'"),
            ("test_progs a # why\ntest_progs a # why\n", "deny:2: 'a' is there twice"),
        ] {
            let error = #expect(throws: RunnerError.self) { try SelftestList(parsing: text, name: "deny") }
            #expect(error?.message == words)
        }
        #expect(throws: RunnerError.self) { try SelftestList(file: "/nonexistent/selftests.deny") }
    }

    @Test func listedTestsMustExist() throws {
        let list = try SelftestList(parsing: "test_progs gone # why\n", name: "deny")
        let error = #expect(throws: RunnerError.self) { try list.check(.progs) { $0 == "here" } }
        #expect(error?.message == "deny:1: test_progs has no test 'gone'")
        try list.check(.verifier) { _ in false }
    }

    @Test func shards() {
        let items = (0..<50).map { "t\($0)" }
        let shards = SelftestShard.shards(of: .progs, items: items, denied: ["t1", "t2/x", "t45/y"], plural: ["t3"])
        #expect(shards.map(\.items.count) == [40, 8, 1])
        #expect(shards.map(\.cpus) == [1, 1, 2])
        #expect(shards.map(\.denied) == [["t2/x"], ["t45/y"], []])
        #expect(!shards.flatMap(\.items).contains("t1"))
        #expect(Set(shards.map(\.number)).count == 3)
        #expect(shards[1].arguments.suffix(2) == ["--deny", "t45/y"])
        #expect(SelftestShard.shards(of: .verifier, items: [], denied: [], plural: []).count == 1)
        let quick = SelftestShard.shards(of: .veristat, items: items, denied: [], plural: [], filter: "@veristat.cfg")
        #expect(quick.count == 1 && quick[0].arguments.contains("@veristat.cfg"))
    }

    @Test func namesInSources() {
        #expect(
            SelftestSources.tests("void test_a(void)\nvoid serial_test_b(void)\nstatic void test_c(void)\nvoid test_d(int x)\n")
                == ["a", "b"])
        let includes = "#include \"a_b.skel.h\"\n#include \"c.lskel.h\"\n#include \"d.h\"\n"
        #expect(SelftestSources.skeletons(includes) == ["a_b", "c"])
        #expect(SelftestSources.titles("{\n\t\"one: x\",\n\t.insns = {\n\t\"no\",\n},\n{\n\t\"two\",\n") == ["one: x", "two"])
    }

    @Test func whatTheSeriesTouches() throws {
        let sources = SelftestSources(
            tests: ["a", "b"],
            subjects: [
                "prog_tests/a.c": .init(kind: .progs, names: ["a"]), "progs/p.c": .init(kind: .progs, names: ["b"]),
                "verifier/calls.c": .init(kind: .verifier, names: ["calls: x"]),
            ])
        #expect(SelftestSources(try JSON(parsing: Array(sources.json.description.utf8))) == sources)
        let directory = SelftestSources.directory
        let touched = sources.touched(
            by: ["\(directory)/prog_tests/a.c", "\(directory)/progs/p.c", "\(directory)/verifier/calls.c", "kernel/bpf/core.c"])
        #expect(touched == TouchedTests(tests: ["a", "b"], titles: ["calls: x"], objects: ["p.bpf.o"]))
        #expect(touched.holds("a/sub", .progs) && !touched.holds("ab", .progs))
        #expect(touched.holds("#12/u calls: x", .verifier) && touched.holds("p.bpf.o/prog", .veristat))
    }
}
