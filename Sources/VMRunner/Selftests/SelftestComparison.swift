// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// One suite on one kernel against the same programs on another.
///
/// The programs are those of the patched tree, so that the tests that the series brings or changes do not pass on the
/// stock kernel; every other test must come out as well as it does there.
struct SelftestComparison: Sendable {
    var question: SelftestQuestion
    struct Difference: Equatable, Sendable {
        var name: String
        var words: String
    }

    var suite: SelftestSuite
    var before: SelftestResult
    var after: SelftestResult
    /// How many were denied on each.
    var denied: Int
    /// Tests that passed before and do not after, and tests of the series that do not pass.
    var lost: [Difference] = []
    /// Tests of files that the series changes, which pass after only.
    var ofSeries: [Difference] = []
    /// Tests that pass after only, though the series does not speak of them.
    var gained: [Difference] = []
    /// Programs whose verdict, instructions or states differ.
    var programs: [Difference] = []
    var newSplats: [Difference] = []
    /// Tests that pass on neither, and are not merely skipped on both.
    var failedOnBoth: [Difference] = []
    /// How much longer the kernel after takes to load a program, as the median over those that take a while.
    var loadTime: Double?

    /// Below this a load is not measured but lost in the noise, in microseconds.
    static let shortestLoad = 2000
    /// The median of so many programs' ratios is steady to a few percent even on a busy host.
    static let loadNoise = 0.15

    var isGood: Bool {
        lost.isEmpty && programs.isEmpty && newSplats.isEmpty && !isSlower && !after.isEmpty
            && !(before.isEmpty && before.omitted.isEmpty)
    }

    var isSlower: Bool { loadTime.map { $0 > 1 + SelftestComparison.loadNoise } ?? false }

    init(
        _ suite: SelftestSuite, _ question: SelftestQuestion = .series, before: SelftestResult, after: SelftestResult,
        denied: Set<String>, touched: TouchedTests
    ) {
        self.suite = suite
        self.question = question
        var (before, after) = (before, after)
        self.denied = max(before.remove(denied), after.remove(denied))
        if suite.kind == .progs { self.denied = denied.count }
        self.before = before
        self.after = after
        compareTests(touched)
        comparePrograms(touched)
        compareSplats()
    }

    private mutating func compareTests(_ touched: TouchedTests) {
        for name in Set(before.tests.keys).union(after.tests.keys).sorted()
        where !before.omitted.contains(SelftestResult.item(name)) {
            let (before, after) = (before.tests[name], after.tests[name])
            let isTouched = touched.holds(name, suite.kind)
            let words = "\(before?.rawValue ?? "missing") → \(after?.rawValue ?? "missing")"
            if before == .passed && after != .passed || isTouched && after != .passed && after != .skipped {
                // A subtest that is only there without the series: its test says what that means.
                if isTouched && after == nil && name.contains("/") { continue }
                lost.append(Difference(name: name, words: words))
            } else if after == .passed && before != .passed {
                if isTouched {
                    ofSeries.append(Difference(name: name, words: words))
                } else {
                    gained.append(Difference(name: name, words: words))
                }
            } else if after != .passed && !(before == .skipped && after == .skipped) {
                failedOnBoth.append(Difference(name: name, words: words))
            }
        }
    }

    /// The verifier is deterministic: the same program comes to the same verdict, by as many instructions and states.
    private mutating func comparePrograms(_ touched: TouchedTests) {
        var ratios: [Double] = []
        for name in Set(before.programs.keys).union(after.programs.keys).sorted() {
            let (before, after) = (before.programs[name], after.programs[name])
            if let before, let after, before.verdict == after.verdict, before.instructions == after.instructions,
                before.states == after.states
            {
                if before.duration >= SelftestComparison.shortestLoad {
                    ratios.append(Double(after.duration) / Double(before.duration))
                }
                continue
            }
            let difference = Difference(
                name: name,
                words: "\(SelftestComparison.words(before)) → \(SelftestComparison.words(after))")
            if touched.holds(name, .veristat), after?.verdict == "success" || after?.verdict == before?.verdict {
                ofSeries.append(difference)
            } else {
                programs.append(difference)
            }
        }
        ratios.sort()
        if !ratios.isEmpty { loadTime = ratios[ratios.count / 2] }
    }

    private static func words(_ cost: ProgramCost?) -> String {
        cost.map { "\($0.verdict), \($0.instructions) insns, \($0.states) states" } ?? "missing"
    }

    private mutating func compareSplats() {
        // Without its checkers a kernel that has faults just says less.
        let known = question == .checkers ? [] : Set(before.splats.map(\.fingerprint))
        var seen: Set<String> = []
        for splat in after.splats where !known.contains(splat.fingerprint) && seen.insert(splat.fingerprint).inserted {
            newSplats.append(Difference(name: splat.test ?? "-", words: splat.line))
        }
    }
}

extension SelftestResult {
    /// Nothing was found out.
    var isEmpty: Bool { tests.isEmpty && programs.isEmpty }

    func count(_ status: TestStatus) -> Int { tests.values.count { $0 == status } }
}
