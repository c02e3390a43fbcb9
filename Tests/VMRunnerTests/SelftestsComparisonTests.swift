// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Testing

@testable import VMRunner

@Suite struct SelftestsComparisonTests {
    static func compare(
        _ stock: [String: TestStatus], _ patched: [String: TestStatus], _ suite: SelftestSuite = .progs,
        denied: Set<String> = [], touched: TouchedTests = TouchedTests()
    ) -> SelftestComparison {
        var (before, after) = (SelftestResult(), SelftestResult())
        before.tests = stock
        after.tests = patched
        return SelftestComparison(suite, before: before, after: after, denied: denied, touched: touched)
    }

    @Test func sameIsGood() {
        let compared = Self.compare(["a": .passed, "b": .failed, "c": .skipped], ["a": .passed, "b": .failed, "c": .skipped])
        #expect(compared.isGood)
        #expect(compared.failedOnBoth.map(\.name) == ["b"])
    }

    @Test(arguments: [TestStatus.failed, .skipped, .crashed, nil])
    func lostIsFound(_ status: TestStatus?) {
        var patched: [String: TestStatus] = ["b": .passed]
        patched["a"] = status
        let compared = Self.compare(["a": .passed, "b": .passed], patched)
        #expect(!compared.isGood)
        #expect(compared.lost == [.init(name: "a", words: "passed → \(status?.rawValue ?? "missing")")])
    }

    @Test func nothingIsNotGood() { #expect(!Self.compare([:], [:]).isGood) }

    @Test func deniedIsNotCompared() {
        let compared = Self.compare(["a/b": .passed, "c": .passed], ["a/b": .failed, "c": .passed], denied: ["a"])
        #expect(compared.isGood)
        #expect(compared.denied == 1)
    }

    @Test func whatPassesWithTheSeriesNeedsNoRunWithoutIt() {
        var patched = SelftestResult()
        patched.tests = [
            "fine": .passed, "fine/x": .passed, "failed": .failed, "partly": .passed, "partly/x": .skipped, "loud": .passed,
        ]
        patched.splats = [SelftestSplat(line: "WARNING: a", test: "loud/x")]
        var shard = SelftestShard(suite: .progs, number: 1, items: ["fine", "failed", "partly", "loud", "missing"])
        #expect(patched.itemsInDoubt(of: shard) == ["failed", "partly", "loud", "missing"])
        patched.failures = ["hang: no word"]
        #expect(patched.itemsInDoubt(of: shard) == shard.items)
        patched.failures = []
        patched.splats.append(SelftestSplat(line: "WARNING: b", test: nil))
        #expect(patched.itemsInDoubt(of: shard) == shard.items)

        shard.items = ["fine"]
        patched = SelftestResult()
        patched.tests = ["fine": .passed, "fine/x": .passed, "failed": .failed]
        var stock = SelftestResult()
        stock.omitted = ["fine"]
        func compared() -> SelftestComparison {
            SelftestComparison(.progs, before: stock, after: patched, denied: [], touched: TouchedTests())
        }
        stock.tests = ["failed": .failed]
        #expect(compared().isGood && compared().gained.isEmpty)
        stock.tests = ["failed": .passed]
        #expect(compared().lost.map(\.name) == ["failed"])
        // Nothing was in doubt.
        stock.tests = [:]
        patched.tests["failed"] = nil
        #expect(compared().isGood)
    }

    @Test func testsOfTheSeries() {
        var touched = TouchedTests()
        touched.tests = ["new", "broken"]
        let good = Self.compare(
            ["new": .failed, "new/x": .failed, "other": .failed], ["new": .passed, "new/x": .passed, "other": .passed],
            touched: touched)
        #expect(good.isGood)
        #expect(good.ofSeries.map(\.name) == ["new", "new/x"])
        #expect(good.gained.map(\.name) == ["other"])
        // They must pass, whatever they do without the series.
        let bad = Self.compare(["broken": .failed], ["broken": .failed], touched: touched)
        #expect(bad.lost.map(\.name) == ["broken"])
        let titles = TouchedTests(tests: [], titles: ["calls: x"])
        #expect(
            Self.compare(["#1/p calls: x": .failed], ["#1/p calls: x": .passed], .verifier, touched: titles).ofSeries.count
                == 1)
    }

    static func cost(_ verdict: String, _ instructions: Int, _ states: Int, _ duration: Int = 10) -> ProgramCost {
        ProgramCost(verdict: verdict, instructions: instructions, states: states, duration: duration)
    }

    static func compare(
        _ stock: ProgramCost, _ patched: ProgramCost?, touched: TouchedTests = TouchedTests()
    ) -> SelftestComparison {
        var (before, after) = (SelftestResult(), SelftestResult())
        before.programs = ["o.bpf.o/p": stock, "o.bpf.o/q": cost("success", 1, 1)]
        after.programs = ["o.bpf.o/q": cost("success", 1, 1)]
        after.programs["o.bpf.o/p"] = patched
        return SelftestComparison(.veristat, before: before, after: after, denied: [], touched: touched)
    }

    @Test func verdictsAndCostsMustBeEqual() {
        #expect(Self.compare(Self.cost("success", 9, 3), Self.cost("success", 9, 3)).isGood)
        for other in [Self.cost("failure", 9, 3), Self.cost("success", 10, 3), Self.cost("success", 9, 4), nil] {
            let compared = Self.compare(Self.cost("success", 9, 3), other)
            #expect(!compared.isGood)
            #expect(compared.programs.map(\.name) == ["o.bpf.o/p"])
        }
        let verdict = Self.compare(Self.cost("success", 9, 3), Self.cost("failure", 9, 3))
        #expect(verdict.programs[0].words == "success, 9 insns, 3 states → failure, 9 insns, 3 states")
        var touched = TouchedTests()
        touched.objects = ["o.bpf.o"]
        #expect(Self.compare(Self.cost("failure", 9, 3), Self.cost("success", 10, 3), touched: touched).isGood)
        #expect(!Self.compare(Self.cost("success", 9, 3), Self.cost("failure", 9, 3), touched: touched).isGood)
    }

    @Test func slowerLoadsAreFound() {
        #expect(Self.compare(Self.cost("success", 9, 3, 5000), Self.cost("success", 9, 3, 5500)).isGood)
        let slower = Self.compare(Self.cost("success", 9, 3, 5000), Self.cost("success", 9, 3, 6000))
        #expect(slower.isSlower && !slower.isGood)
        // Too short to be measured.
        #expect(Self.compare(Self.cost("success", 9, 3, 50), Self.cost("success", 9, 3, 500)).loadTime == nil)
    }

    @Test func newSplatsAreFound() {
        var (before, after) = (SelftestResult(), SelftestResult())
        before.tests = ["a": .passed]
        after.tests = ["a": .passed]
        before.splats = [SelftestSplat(line: "WARNING: kernel/x.c:10 at f+0x1/0x2, CPU#0: a/12", test: "a")]
        after.splats = [SelftestSplat(line: "WARNING: kernel/x.c:10 at f+0x1/0x2, CPU#0: a/99", test: "a")]
        func compared() -> SelftestComparison {
            SelftestComparison(.progs, before: before, after: after, denied: [], touched: TouchedTests())
        }
        #expect(compared().isGood)
        after.splats.append(SelftestSplat(line: "BUG: sleeping function called", test: "b"))
        #expect(!compared().isGood)
        #expect(compared().newSplats == [.init(name: "b", words: "BUG: sleeping function called")])
    }

    @Test func withTheCheckersNothingInTheLogIsKnown() {
        var (before, after) = (SelftestResult(), SelftestResult())
        before.tests = ["a": .passed]
        after.tests = ["a": .passed]
        after.splats = [SelftestSplat(line: "WARNING: kernel/x.c:10 at f+0x1/0x2, CPU#0: a/12", test: "a")]
        before.splats = after.splats
        func compared(_ question: SelftestQuestion) -> SelftestComparison {
            SelftestComparison(.progs, question, before: before, after: after, denied: [], touched: TouchedTests())
        }
        #expect(compared(.series).isGood)
        #expect(compared(.checkers).newSplats.map(\.name) == ["a"])
        let report = SelftestReport(
            question: .checkers, comparisons: [compared(.checkers)], kernels: (before: "1", after: "2"), programs: ["3"])
        let lines = report.text.split(separator: "\n").map(String.init)
        #expect(lines[1].hasPrefix("test_progs  patched") && lines[2].hasPrefix("test_progs  debug"))
        #expect(lines.contains("  NEW in the kernel's log with the checkers: 1"))
        #expect(report.json.contains(#""kernels":{"patched":"1","debug":"2"}"#))
    }

    @Test func repetitions() {
        var result = SelftestResult()
        result.tests = ["a": .failed, "b": .passed, "c": .failed]
        var again = SelftestResult()
        again.tests = ["a": .passed, "b": .failed, "c": .failed]
        result.addRepetition(again)
        #expect(result.tests == ["a": .passed, "b": .passed, "c": .failed])
        #expect(result.unsteady == ["a", "b"])
    }

    @Test func report() {
        let bad = Self.compare(["a": .passed, "a/x": .passed, "b": .failed], ["a": .failed, "a/x": .failed, "b": .failed])
        let report = SelftestReport(comparisons: [bad], kernels: (before: "1", after: "2"), programs: ["3"])
        #expect(!report.isGood)
        let lines = report.text.split(separator: "\n").map(String.init)
        #expect(lines[0] == "suite       kernel   passed  failed  skipped  denied  time")
        #expect(lines[1] == "test_progs  stock       1/1       1        0       0   0 s")
        #expect(lines[2] == "test_progs  patched       0     2/1        0       0   0 s")
        #expect(lines.contains("    a/x: passed → failed"))
        #expect(lines.contains("  pass on neither kernel: 1"))
        #expect(report.json.contains(#""lost":[{"name":"a","words":"passed → failed"}"#))
    }
}
