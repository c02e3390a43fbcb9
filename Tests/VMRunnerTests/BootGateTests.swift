// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Testing

@testable import VMRunner

@Suite struct BootGateTests {
    func judge(_ results: [CaseResult], of count: Int) -> Judgement { BootGate.judge(results, of: count, suite: "s") }

    @Test func allCasesHaveToBeRunAndSomeToPass() {
        let good = ReportTests.result("a", .passed)
        let skipped = ReportTests.result("b", .skipped(reason: "no device"))
        #expect(judge([good, skipped], of: 2) == Judgement(remark: "1 cases"))
        #expect(judge([good], of: 2).faults == ["1 of 2 cases passed"])
        #expect(judge([skipped], of: 1).faults == ["0 of 1 cases passed"])
    }

    @Test func aCaseThatFailsIsShownWithItsWords() {
        let bad = ReportTests.result("c", .failed(reason: "exit code 1"), output: "refused\n")
        let found = judge([ReportTests.result("a", .passed), bad], of: 2)
        #expect(found.faults.contains("refused") && found.faults.last == "2 cases: 1 passed, 1 failed, 0 skipped")
    }

    func gate(_ toy: ToySeries) -> BootGate {
        BootGate(
            smoke: nil, jobs: nil, installation: Installation(root: toy.directory), cache: Cache(root: toy.directory),
            total: toy.series.patches.count, note: { _ in })
    }

    @Test func aPatchThatChangesNoKernelNeedsNoneButAtTheEnd() throws {
        let toy = try ToySeries(["/* one */", "/* two */"])
        var stretch = toy.series.patches[0]
        stretch.changes = [.init(path: "Documentation/bpf/index.rst", before: "1", after: "2")]
        #expect(try gate(toy).judge(stretch, of: toy.series) == Judgement(remark: "same kernel"))
        stretch.count = 2
        // Now it wants to build one, and there is nothing here to build it from.
        #expect(try gate(toy).judge(stretch, of: toy.series).remark == "does not build")
    }

    @Test func withoutASuiteItCannotRun() throws {
        let toy = try ToySeries(["/* one */"])
        let verdict = try ReviewTests.review(toy, [gate(toy)]).table().patches[0].verdicts[0].verdict
        #expect(verdict.outcome == .cannotRun)
        #expect(verdict.words.first == "no suite was named for the boot gate")
    }
}
