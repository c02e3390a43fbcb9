// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import VMProtocol

/// What earlier runs found out, in the cache, by the digest of all that it depends on.
struct VerdictStore: Sendable {
    /// A directory that exists.
    let directory: String

    /// A verdict that was kept.
    func verdict(_ key: String) -> Verdict? {
        guard let text = try? Files.text("\(directory)/\(key).json"), let json = try? JSON(parsing: Array(text.utf8)),
            let remark = json["remark"]?.stringValue, let milliseconds = json["ms"]?.integerValue
        else { return nil }
        return Verdict(.passed, remark: remark, seconds: Double(milliseconds) / 1000, isKept: true)
    }

    /// Keeps a verdict if it passed: what failed is tried again, for its cause may lie outside of the patch.
    func keep(_ verdict: Verdict, as key: String) throws(RunnerError) {
        guard verdict.outcome == .passed else { return }
        let json: JSON = ["remark": .string(verdict.remark), "ms": .integer(Int(verdict.seconds * 1000))]
        try Files.write(json.description.utf8, to: "\(directory)/\(key).json")
    }

    /// The key of a gate's verdict on a stretch.
    static func key(_ gate: any Gate, _ stretch: Stretch, conditions: [String]) throws(RunnerError) -> String {
        try Digest.of(([gate.name] + conditions + ["of"] + gate.content(of: stretch)).joined(separator: "\n"))
    }
}
