// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Runs gates over a series and keeps what they find out.
struct Review: Sendable {
    let series: ReviewedSeries
    let gates: [any Gate]
    let store: VerdictStore
    /// Takes words on how far the run is.
    let note: @Sendable (String) -> Void

    /// Asks every gate about all that it is for; gate by gate, so that the cheap ones have spoken before the dear ones begin,
    /// and builds go from patch to patch.
    func table() -> ReviewTable {
        var table = ReviewTable(series)
        for gate in gates {
            let conditions = Result { try gate.conditions(series) }
            let stretches = gate.scope == .everyPatch ? series.patches : [series.whole]
            for stretch in stretches {
                let verdict = verdict(gate, stretch, conditions)
                table.add(verdict, gate: gate.name, stretch: stretch)
                let time = verdict.isKept ? "as before" : "\(Int(verdict.seconds.rounded())) s"
                note("\(gate.name): \(stretch.name): \(([ReviewTable.cell(verdict)] + [time]).joined(separator: ", "))")
                for line in verdict.words { note("  \(line)") }
            }
        }
        return table
    }

    private func verdict(_ gate: any Gate, _ stretch: Stretch, _ conditions: Result<[String], any Error>) -> Verdict {
        let start = ContinuousClock.now
        do {
            let key = try VerdictStore.key(gate, stretch, conditions: try conditions.get())
            if let known = store.verdict(key) { return known }
            let judgement = try gate.judge(stretch, of: series)
            let verdict = Verdict(judgement, seconds: (ContinuousClock.now - start) / .seconds(1))
            try store.keep(verdict, as: key)
            return verdict
        } catch {
            return Verdict(.cannotRun, words: "\(error)".split(separator: "\n").map(String.init))
        }
    }
}
