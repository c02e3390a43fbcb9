// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import VMProtocol

/// What a review found: patch × gate, and below it the gates for the whole series.
public struct ReviewTable: Sendable {
    struct Row: Sendable {
        var name: String
        var commit: String
        var verdicts: [(gate: String, verdict: Verdict)] = []
    }

    private(set) var patches: [Row]
    private(set) var whole: Row

    init(_ series: ReviewedSeries) {
        patches = series.patches.map { Row(name: $0.name, commit: $0.after.id) }
        whole = Row(name: series.whole.name, commit: series.whole.after.id)
    }

    mutating func add(_ verdict: Verdict, gate: String, stretch: Stretch) {
        if let index = patches.firstIndex(where: { $0.name == stretch.name }) {
            patches[index].verdicts.append((gate, verdict))
        } else {
            whole.verdicts.append((gate, verdict))
        }
    }

    private var all: [Verdict] { (patches + [whole]).flatMap { $0.verdicts.map(\.verdict) } }

    /// How many verdicts there are, and how many of them are not `passed`.
    public var counts: (verdicts: Int, failures: Int) { (all.count, all.count { $0.outcome != .passed }) }

    /// A verdict as it stands in the table.
    static func cell(_ verdict: Verdict) -> String {
        let outcome = verdict.outcome == .passed ? "ok" : verdict.outcome.rawValue.uppercased()
        return verdict.remark.isEmpty ? outcome : "\(outcome), \(verdict.remark)"
    }

    /// The table for people: one line per patch with a column per gate, then one line per gate for the whole series.
    public var text: String {
        var table: [[String]] = []
        if let first = patches.first, !first.verdicts.isEmpty {
            table.append(["patch"] + first.verdicts.map(\.gate))
            table += patches.map { row in [String(row.name.prefix(52))] + row.verdicts.map { ReviewTable.cell($0.verdict) } }
        }
        var parts: [String] = []
        if !table.isEmpty { parts.append(ReviewTable.align(table)) }
        if !whole.verdicts.isEmpty {
            parts.append(
                ReviewTable.align([[whole.name, ""]] + whole.verdicts.map { ["  \($0.gate)", ReviewTable.cell($0.verdict)] }))
        }
        let (count, failures) = counts
        parts.append("\(count) verdicts: \(count - failures) passed, \(failures) failed")
        return parts.joined(separator: "\n\n")
    }

    private static func align(_ table: [[String]]) -> String {
        let widths = table[0].indices.map { column in table.map { $0[column].count }.max() ?? 0 }
        return table.map { row in
            var line = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }.joined(separator: "\n")
    }

    /// One JSON object: `patches` and `series`, each with `name`, `commit` and `gates`, a list of objects with `gate`,
    /// `verdict` (passed, failed, cannot run), `remark`, `words`, `ms` and `kept`; and the numbers `passed` and `failed`.
    public var json: String {
        func object(_ row: Row) -> JSON {
            [
                "name": .string(row.name), "commit": .string(row.commit),
                "gates": .array(
                    row.verdicts.map { gate, verdict in
                        [
                            "gate": .string(gate), "verdict": .string(verdict.outcome.rawValue),
                            "remark": .string(verdict.remark), "words": .array(verdict.words.map(JSON.string)),
                            "ms": .integer(Int(verdict.seconds * 1000)), "kept": .bool(verdict.isKept),
                        ]
                    }),
            ]
        }
        let (count, failures) = counts
        let document: JSON = [
            "patches": .array(patches.map(object)), "series": object(whole), "passed": .integer(count - failures),
            "failed": .integer(failures),
        ]
        return document.description
    }
}
