// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import VMProtocol

/// A suite's results in the forms that people and programs read.
public struct Report: Sendable {
    public var suite: String
    public var results: [CaseResult]
    /// A command line that repeats one case; the case's name is still to be added.
    public var repeatCommand: String

    public init(suite: String, results: [CaseResult], repeatCommand: String) {
        self.suite = suite
        self.results = results
        self.repeatCommand = repeatCommand
    }

    public var failures: [CaseResult] { results.filter(\.isFailure) }

    private var skipped: Int {
        results.count { if case .skipped = $0.outcome { true } else { false } }
    }

    /// One line about one case, as it ends.
    public static func line(_ result: CaseResult) -> String {
        let time = " (\(milliseconds(result)) ms)"
        return switch result.outcome {
        case .passed: "ok    \(result.name)\(time)"
        case .skipped(let reason): "skip  \(result.name): \(reason)"
        case .failed(let reason): "FAIL  \(result.name): \(reason)\(time)"
        case .guest(let failure): "FAIL  \(result.name): \(failure.kind.rawValue): \(failure.reason)\(time)"
        }
    }

    /// What comes after all cases: each failure with all that is known, then the numbers.
    public var summary: String {
        var lines: [String] = []
        for result in failures {
            lines += ["", "--- \(Report.line(result).dropFirst(6))"]
            lines += result.output.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            if lines.last == "" { lines.removeLast() }
            if case .guest(let failure) = result.outcome {
                lines += failure.excerpt.map { "  | \($0)" }
            } else {
                lines += result.kernelLog.map { "  | \($0)" }
            }
            lines.append("repeat: \(repeatCommand) \(shellQuoted(result.name))")
        }
        if !failures.isEmpty { lines.append("") }
        let passed = results.count - failures.count - skipped
        lines.append("\(results.count) cases: \(passed) passed, \(failures.count) failed, \(skipped) skipped")
        return lines.joined(separator: "\n")
    }

    /// TAP version 14.
    public var tap: String {
        var lines = ["TAP version 14", "1..\(results.count)"]
        for (index, result) in results.enumerated() {
            let name = result.name.split(separator: "#", omittingEmptySubsequences: false).joined(separator: "\\#")
            let head = "\(result.isFailure ? "not ok" : "ok") \(index + 1) - \(name)"
            switch result.outcome {
            case .passed: lines.append(head)
            case .skipped(let reason): lines.append("\(head) # SKIP \(reason)")
            case .failed, .guest:
                lines += [head, "  ---", "  message: \(JSON.string(Report.reason(result)))", "  output: |"]
                lines += Report.details(result).map { "    \($0)" }
                lines.append("  ...")
            }
        }
        return lines.joined(separator: "\n")
    }

    /// One JSON object: `suite`, and `cases` with `name`, `status` (passed, skipped, failed), `verdict` (a guest's
    /// failure), `reason`, `ms`, `output`, `kernelLog`, `console`.
    public var json: String {
        let cases = results.map { result -> JSON in
            var members: [JSON.Member] = [.init("name", .string(result.name))]
            switch result.outcome {
            case .passed: members.append(.init("status", "passed"))
            case .skipped(let reason):
                members += [.init("status", "skipped"), .init("reason", .string(reason))]
            case .failed(let reason):
                members += [.init("status", "failed"), .init("reason", .string(reason))]
            case .guest(let failure):
                members += [
                    .init("status", "failed"), .init("verdict", .string(failure.kind.rawValue)),
                    .init("reason", .string(failure.reason)),
                    .init("console", .array(failure.excerpt.map(JSON.string))),
                ]
            }
            members += [
                .init("ms", .integer(Report.milliseconds(result))), .init("output", .string(result.output)),
                .init("kernelLog", .array(result.kernelLog.map(JSON.string))),
            ]
            return .object(members)
        }
        let document: JSON = ["suite": .string(suite), "cases": .array(cases)]
        return document.description
    }

    /// The XML that continuous integration systems read: one test suite, one element per case.
    public var junit: String {
        let time = results.reduce(0) { $0 + $1.seconds }
        var lines = [
            #"<?xml version="1.0" encoding="UTF-8"?>"#,
            "<testsuite name=\"\(xml(suite))\" tests=\"\(results.count)\" failures=\"\(failures.count)\""
                + " skipped=\"\(skipped)\" time=\"\(time)\">",
        ]
        for result in results {
            lines.append(
                "  <testcase classname=\"\(xml(suite))\" name=\"\(xml(result.name))\" time=\"\(result.seconds)\">")
            switch result.outcome {
            case .passed: break
            case .skipped(let reason): lines.append("    <skipped message=\"\(xml(reason))\"/>")
            case .failed, .guest:
                let text = xml(Report.details(result).joined(separator: "\n"))
                lines.append("    <failure message=\"\(xml(Report.reason(result)))\">\(text)</failure>")
            }
            lines.append("  </testcase>")
        }
        lines.append("</testsuite>\n")
        return lines.joined(separator: "\n")
    }

    /// - Throws: `RunnerError`
    public func writeJUnit(to path: String) throws { try Files.write(junit.utf8, to: path) }

    private static func reason(_ result: CaseResult) -> String {
        switch result.outcome {
        case .passed: ""
        case .skipped(let reason), .failed(let reason): reason
        case .guest(let failure): "\(failure.kind.rawValue): \(failure.reason)"
        }
    }

    private static func details(_ result: CaseResult) -> [String] {
        var lines = result.output.split(separator: "\n").map(String.init)
        if case .guest(let failure) = result.outcome { lines += failure.excerpt } else { lines += result.kernelLog }
        return lines
    }

    private static func milliseconds(_ result: CaseResult) -> Int { Int((result.seconds * 1000).rounded()) }
}

/// `text` as one word of a shell's command line.
public func shellQuoted(_ text: String) -> String {
    let plain = text.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "_-./=:,+@%".utf8.contains(byte)
    }
    if plain && !text.isEmpty { return text }
    return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: #"'\''"#) + "'"
}

/// `text` for an XML attribute or element; characters that XML 1.0 cannot hold become U+FFFD.
private func xml(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "\n", "\t": result.unicodeScalars.append(scalar)
        case "\u{0}"..<" ", "\u{fffe}", "\u{ffff}": result += "\u{fffd}"
        default: result.unicodeScalars.append(scalar)
        }
    }
    return result
}
