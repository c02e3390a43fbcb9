// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Testing

@testable import VMProtocol
@testable import VMRunner

@Suite struct SuiteCaseTests {
    @Test func readsAListing() throws {
        #expect(try SuiteCase.parse("a\nb c\tcpus=2\n\n") == [SuiteCase(name: "a"), SuiteCase(name: "b c", cpus: 2)])
        #expect(try SuiteCase.parse("a\tpatience=5\tcpus=2") == [SuiteCase(name: "a", cpus: 2, patience: 5)])
    }

    @Test(arguments: ["a\na\n", "a\tcpu=2\n", "a\tcpus=0\n", "a\tcpus\n", "a\tpatience=0\n", "\tcpus=2\n"])
    func refuses(_ listing: String) {
        #expect(throws: RunnerError.self) { try SuiteCase.parse(listing) }
    }

    @Test(arguments: [
        ([], ["call", "call_twice", "load"]), (["call"], ["call"]), (["call*"], ["call", "call_twice"]),
        (["twi"], ["call_twice"]), (["load", "call"], ["call", "load"]), (["none"], []),
    ])
    func filters(_ filters: [String], _ names: [String]) {
        let cases = ["call", "call_twice", "load"].map { SuiteCase(name: $0) }
        #expect(SuiteCase.select(cases, filters).map(\.name) == names)
    }

    @Test func judges() {
        #expect(CaseResult.judge(exitCode: 0, output: "") == .passed)
        #expect(CaseResult.judge(exitCode: 4, output: "x\nno device\n") == .skipped(reason: "no device"))
        #expect(CaseResult.judge(exitCode: 4, output: "") == .skipped(reason: "no reason given"))
        #expect(CaseResult.judge(exitCode: 1, output: "") == .failed(reason: "exit code 1"))
    }
}

@Suite struct ReportTests {
    static func result(_ name: String, _ outcome: CaseResult.Outcome, output: String = "") -> CaseResult {
        CaseResult(name: name, outcome: outcome, output: output, kernelLog: [], duration: .milliseconds(120))
    }
    let report = Report(
        suite: "s",
        results: [
            result("good", .passed), result("later", .skipped(reason: "no <x>")),
            result("bad#1", .failed(reason: "exit code 1"), output: "said & done\n"),
            result("gone", .guest(Failure(kind: .panic, reason: "Fatal \"x\"", excerpt: ["[ 1.0] trace"]))),
        ], repeatCommand: "bpflink-vm test --suite s")

    @Test func summary() {
        let lines = report.summary.split(separator: "\n").map(String.init)
        #expect(lines.last == "4 cases: 1 passed, 2 failed, 1 skipped")
        #expect(lines.contains("repeat: bpflink-vm test --suite s 'bad#1'"))
        #expect(lines.contains("repeat: bpflink-vm test --suite s gone"))
        #expect(lines.contains("said & done") && lines.contains("  | [ 1.0] trace"))
        #expect(Report.line(report.results[3]) == "FAIL  gone: PANIC: Fatal \"x\" (120 ms)")
    }

    @Test func tap() {
        let lines = report.tap.split(separator: "\n").map(String.init)
        #expect(lines.starts(with: ["TAP version 14", "1..4", "ok 1 - good", "ok 2 - later # SKIP no <x>"]))
        #expect(lines.contains(##"not ok 3 - bad\#1"##) && lines.contains("not ok 4 - gone"))
        #expect(lines.contains(##"  message: "PANIC: Fatal \"x\"""##))
    }

    @Test func junit() {
        let text = report.junit
        #expect(text.contains(#"<testsuite name="s" tests="4" failures="2" skipped="1""#))
        #expect(text.contains(#"<skipped message="no &lt;x&gt;"/>"#))
        #expect(text.contains(#"<failure message="exit code 1">said &amp; done</failure>"#))
        #expect(text.contains(#"message="PANIC: Fatal &quot;x&quot;""#))
    }

    @Test func json() throws {
        let json = try JSON(parsing: Array(report.json.utf8))
        let cases = try #require(json["cases"]?.arrayValue)
        #expect(cases.map { $0["status"] } == ["passed", "skipped", "failed", "failed"])
        #expect(cases[3]["verdict"] == "PANIC" && cases[3]["ms"] == 120)
    }

    @Test(arguments: [("a-b/c.d", "a-b/c.d"), ("a b", "'a b'"), ("it's", #"'it'\''s'"#), ("", "''"), ("$x", "'$x'")])
    func quoting(_ text: String, _ quoted: String) {
        #expect(shellQuoted(text) == quoted)
    }
}
