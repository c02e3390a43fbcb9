// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// A check that patches have to pass before people are asked to read them.
///
/// What is checked is what Documentation/process/submit-checklist.rst and submitting-patches.rst of the kernel ask of
/// whoever sends a patch; each gate says which of it.
protocol Gate: Sendable {
    /// The word for it on the command line and in the table.
    var name: String { get }
    var scope: GateScope { get }
    /// Whether it takes seconds, not minutes.
    var isQuick: Bool { get }
    /// What a verdict depends on besides the patch: versions of tools, configurations, and the gate's own rules, whose
    /// number it states. A verdict is kept for as long as all of it is the same.
    /// - Throws: `RunnerError` if the gate cannot run here.
    func conditions(_ series: ReviewedSeries) throws -> [String]
    /// What of the stretch a verdict depends on.
    func content(of stretch: Stretch) -> [String]
    /// - Throws: `RunnerError` if it cannot be told.
    func judge(_ stretch: Stretch, of series: ReviewedSeries) throws -> Judgement
}

extension Gate {
    /// The files before and after, not the message.
    func content(of stretch: Stretch) -> [String] { [stretch.before.tree, stretch.after.tree] }
}

/// What a gate is asked about.
enum GateScope: Sendable {
    case everyPatch
    case wholeSeries
}

/// What a gate finds.
struct Judgement: Equatable, Sendable {
    /// What is wrong, line by line; nothing if nothing is.
    var faults: [String] = []
    /// A few words for the table, whatever the outcome.
    var remark = ""
}

/// What came out for one stretch at one gate.
public struct Verdict: Equatable, Sendable {
    public enum Outcome: String, Sendable {
        case passed
        case failed
        /// Counts as failed: what was not checked is not known to be right.
        case cannotRun = "cannot run"
    }

    public var outcome: Outcome
    public var remark = ""
    /// Why it did not pass, line by line.
    public var words: [String] = []
    /// How long it took to find out, now or when the verdict was found.
    public var seconds = 0.0
    /// Whether the verdict is from an earlier run.
    public var isKept = false

    init(_ outcome: Outcome, remark: String = "", words: [String] = [], seconds: Double = 0, isKept: Bool = false) {
        self.outcome = outcome
        self.remark = remark
        self.words = words
        self.seconds = seconds
        self.isKept = isKept
    }

    init(_ judgement: Judgement, seconds: Double) {
        self.init(
            judgement.faults.isEmpty ? .passed : .failed, remark: judgement.remark, words: judgement.faults, seconds: seconds)
    }
}
