// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import VMProtocol

/// What the selftests came to on two kernels, in the forms that people and programs read.
public struct SelftestReport: Sendable {
    var question = SelftestQuestion.series
    var comparisons: [SelftestComparison]
    /// Their names in the store.
    var kernels: (before: String, after: String)
    /// The digests of the programs, by flavour.
    var programs: [String]

    /// The kernel after is as good as the one before.
    public var isGood: Bool { !comparisons.isEmpty && comparisons.allSatisfy(\.isGood) }

    /// A table with a line per suite and kernel, then every difference by name.
    public var text: String {
        var rows = [["suite", "kernel", "passed", "failed", "skipped", "denied", "time"]]
        for comparison in comparisons {
            for (name, result) in results(comparison) {
                rows.append([comparison.suite.rawValue, name] + SelftestReport.counts(result) + [
                    "\(comparison.denied)", SelftestReport.time(result.milliseconds),
                ])
            }
        }
        var lines = SelftestReport.table(rows)
        for comparison in comparisons {
            var details: [String] = []
            func list(_ title: String, _ differences: [SelftestComparison.Difference]) {
                guard !differences.isEmpty else { return }
                details.append("  \(title): \(differences.count)")
                details += differences.map { "    \($0.name): \($0.words)" }
            }
            list("LOST with the \(question.difference)", comparison.lost)
            list("verified DIFFERENTLY with the \(question.difference)", comparison.programs)
            list("NEW in the kernel's log with the \(question.difference)", comparison.newSplats)
            list("of the series, which pass with it only", comparison.ofSeries)
            list("gained, though the series does not touch them", comparison.gained)
            list("pass on neither kernel", comparison.failedOnBoth)
            let unsteady = comparison.before.unsteady.union(comparison.after.unsteady).sorted()
            list("came out differently when run again", unsteady.map { .init(name: $0, words: words(about: $0, comparison)) })
            for (name, result) in results(comparison) {
                list("broken off on the \(name) kernel", result.failures.map { .init(name: name, words: $0) })
            }
            if !comparison.before.omitted.isEmpty {
                details.append(
                    "  not run on the \(question.names.before) kernel, for they pass on the \(question.names.after) one: "
                        + "\(comparison.before.omitted.count)")
            }
            if let ratio = comparison.loadTime {
                details.append(
                    "  time to load: \(SelftestReport.percent(ratio)) of the \(question.names.before) kernel's (median)"
                        + (comparison.isSlower ? ", SLOWER" : ""))
            }
            if !details.isEmpty { lines += ["", comparison.suite.rawValue] + details }
        }
        let good = "no test is lost, no verdict changed, nothing new in the kernel's log"
        lines += ["", isGood ? good : "the series is at fault, or what it is judged by: see above"]
        return lines.joined(separator: "\n")
    }

    private func words(about name: String, _ comparison: SelftestComparison) -> String {
        let on = results(comparison).filter { $0.result.unsteady.contains(name) }
        return "on " + on.map(\.name).joined(separator: " and ")
    }

    /// With the names of the kernels.
    private func results(_ comparison: SelftestComparison) -> [(name: String, result: SelftestResult)] {
        [(question.names.before, comparison.before), (question.names.after, comparison.after)]
    }

    /// passed, failed and skipped, as test_progs counts: tests/subtests.
    private static func counts(_ result: SelftestResult) -> [String] {
        if !result.programs.isEmpty {
            let loaded = result.programs.values.count { $0.verdict == "success" }
            return ["\(loaded)", "\(result.programs.count - loaded)", "0"]
        }
        func count(_ statuses: [TestStatus]) -> String {
            let names = result.tests.filter { statuses.contains($0.value) }.map(\.key)
            let inner = names.count { $0.contains("/") && !$0.hasPrefix("#") }
            return inner == 0 ? "\(names.count)" : "\(names.count - inner)/\(inner)"
        }
        return [count([.passed]), count([.failed, .crashed]), count([.skipped])]
    }

    private static func time(_ milliseconds: Int) -> String {
        let seconds = (milliseconds + 500) / 1000
        return seconds < 60 ? "\(seconds) s" : "\(seconds / 60) min \(seconds % 60) s"
    }

    private static func percent(_ ratio: Double) -> String { "\(Int((ratio * 100).rounded())) %" }

    private static func table(_ rows: [[String]]) -> [String] {
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let space = String(repeating: " ", count: widths[column] - cell.count)
                // Words to the left, numbers to the right.
                line += (column < 2 ? cell + space : space + cell) + (column == row.count - 1 ? "" : "  ")
            }
            return line
        }
    }

    /// One object: `good`, `kernels`, `programs` (the digests of the test programs), and `suites` with the counts and
    /// results of both kernels and every difference. What belongs to one kernel has its name (`SelftestQuestion.names`).
    public var json: String {
        let suites = comparisons.map { comparison -> JSON in
            func list(_ differences: [SelftestComparison.Difference]) -> JSON {
                .array(differences.map { ["name": .string($0.name), "words": .string($0.words)] })
            }
            return [
                "suite": .string(comparison.suite.rawValue), "good": .bool(comparison.isGood),
                "denied": .integer(comparison.denied), "lost": list(comparison.lost),
                "verifiedDifferently": list(comparison.programs), "newSplats": list(comparison.newSplats),
                "ofSeries": list(comparison.ofSeries), "gained": list(comparison.gained),
                "failedOnBoth": list(comparison.failedOnBoth),
                "unsteady": .array(comparison.before.unsteady.union(comparison.after.unsteady).sorted().map(JSON.string)),
                "omitted": .array(comparison.before.omitted.sorted().map(JSON.string)),
                "loadTime": comparison.loadTime.map(JSON.number) ?? .null,
                "results": .object(results(comparison).map { .init($0.name, $0.result.json) }),
            ]
        }
        let document: JSON = [
            "good": .bool(isGood),
            "kernels": .object([
                .init(question.names.before, .string(kernels.before)), .init(question.names.after, .string(kernels.after)),
            ]),
            "programs": .array(programs.map(JSON.string)), "suites": .array(suites),
        ]
        return document.description
    }

    /// - Throws: `RunnerError`
    public func writeJSON(to path: String) throws(RunnerError) { try Files.write((json + "\n").utf8, to: path) }
}
