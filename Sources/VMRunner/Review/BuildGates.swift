// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Which of a build's words a gate judges.
enum BuildVoice: Sendable {
    /// gcc with the warnings of `W=1` (Documentation/kbuild/kbuild.rst, KBUILD_EXTRA_WARN).
    case compiler
    /// sparse (Documentation/dev-tools/sparse.rst).
    case checker

    func warnings(_ record: BuildRecord) -> Warnings {
        switch self {
        case .compiler: record.compiler
        case .checker: record.checker
        }
    }
}

/// What a patch touches builds after it, and nothing gives a warning that was not there before: "builds cleanly" of
/// Documentation/process/submit-checklist.rst, patch by patch, as git-bisect(1) needs it.
struct BuildGate: Gate {
    let name: String
    var scope = GateScope.everyPatch
    let voices: [BuildVoice]
    let lane: BuildLane
    /// Why this gate cannot run although the lane can.
    var obstacle: RunnerError?
    let isQuick = false

    func conditions(_ series: ReviewedSeries) throws -> [String] {
        if let obstacle { throw obstacle }
        return try lane.conditions()
    }

    func judge(_ stretch: Stretch, of series: ReviewedSeries) throws -> Judgement {
        switch try lane.compare(stretch, of: series) {
        case .broken(let words):
            return Judgement(faults: words.split(separator: "\n").map(String.init), remark: "does not build")
        case .both(let before, let after):
            let faults = voices.flatMap { $0.warnings(after).news(since: $0.warnings(before)) }
            let counts = [before, after].map { record in voices.reduce(0) { $0 + $1.warnings(record).total } }
            return Judgement(faults: faults, remark: "\(counts[0]) → \(counts[1]) warnings")
        }
    }
}

extension BuildLane {
    /// The checker of the kernel's build, as a command for `CHECK=`.
    ///
    /// The build leaves the checker out, with no more than a note, if scripts/checker-valid.sh finds it too old for the
    /// tree's sources; a check that was left out must not look like one that found nothing, so the same script is asked
    /// here. sparse 0.6.4 knows all of Linux 7.3 but `__typeof_unqual__`; where that is all it lacks, it gets plain `__typeof__`
    /// for it, which keeps qualifiers.
    /// - Throws: `RunnerError` if no checker can read the sources.
    static func usableChecker(_ tree: String, program: String = "sparse") throws(RunnerError) -> String {
        let help = "apt-get install \(program), or a newer one from its sources"
        let version = try Tool.version(program, help: help)
        // By default it is silent after a hundred warnings.
        let unlimited = "\(program) -fmax-warnings=unlimited"
        for command in [unlimited, "\(unlimited) -D__typeof_unqual__=__typeof__"] {
            let script = "\(tree)/scripts/checker-valid.sh"
            // Kernels without the script take any sparse.
            guard Files.exists(script) else { return command }
            let answer = try Tool.run(["sh", "-eu", script] + command.split(separator: " ").map(String.init))
            if answer.output == "1\n" { return command }
        }
        throw RunnerError("\(program) is too old for these sources, scripts/checker-valid.sh says: \(version)", help: help)
    }
}
