// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc

/// Which lines of a kernel's log say that something is wrong with it. The lists are files, so that each rule can
/// carry its reason; a list that cannot be read is an error, because a scan that cannot run has found nothing out.
///
/// A list is made of entries of `name: value` lines, apart by blank lines; `#` starts a comment line.
/// Every entry has `match` (a POSIX extended regular expression) and `reason`; an entry of the allow list also has
/// `until` (a date YYYY-MM-DD), after which it no longer allows anything.
struct SplatRules: Sendable {
    struct Entry: Sendable {
        var match: String
        var reason: String
        var until: String?
    }

    /// A line that says something is wrong.
    struct Splat: Equatable, Sendable {
        /// Which line of those that were scanned, from 0.
        var index: Int
        var line: String
        var reason: String
    }

    private let deny: [(entry: Entry, expression: RegularExpression)]
    private let allow: [(entry: Entry, expression: RegularExpression)]

    init(deny: String, allow: String) throws(RunnerError) {
        self.init(
            deny: try SplatRules.parse(try Files.text(deny), name: deny, allows: false),
            allow: try SplatRules.parse(try Files.text(allow), name: allow, allows: true))
        guard !self.deny.isEmpty else { throw RunnerError("\(deny) denies nothing") }
    }

    private init(deny: [(Entry, RegularExpression)], allow: [(Entry, RegularExpression)]) {
        self.deny = deny
        self.allow = allow
    }

    /// For a scan of texts instead of files. See the type's description for the format.
    init(denyText: String, allowText: String) throws(RunnerError) {
        self.init(
            deny: try SplatRules.parse(denyText, name: "deny list", allows: false),
            allow: try SplatRules.parse(allowText, name: "allow list", allows: true))
    }

    private static func parse(
        _ text: String, name: String, allows: Bool
    ) throws(RunnerError) -> [(Entry, RegularExpression)] {
        var result: [(Entry, RegularExpression)] = []
        var fields: [String: String] = [:]
        let lines: [Substring] = text.split(separator: "\n", omittingEmptySubsequences: false) + [""]
        for (index, line) in lines.enumerated() {
            let place = "\(name):\(index + 1)"
            if line.hasPrefix("#") { continue }
            if !line.isEmpty {
                guard let colon = line.firstIndex(of: ":") else { throw RunnerError("\(place): expected `name: value`") }
                let field = String(line[..<colon])
                guard ["match", "reason"].contains(field) || allows && field == "until" else {
                    throw RunnerError("\(place): unknown field '\(field)'")
                }
                guard fields[field] == nil else { throw RunnerError("\(place): '\(field)' is given twice") }
                fields[field] = String(line[line.index(after: colon)...].drop { $0 == " " })
                continue
            }
            if fields.isEmpty { continue }
            guard let match = fields["match"], !match.isEmpty, let reason = fields["reason"], !reason.isEmpty else {
                throw RunnerError("\(place): an entry needs `match` and `reason`")
            }
            if allows {
                guard let until = fields["until"], until.utf8.count == 10 else {
                    throw RunnerError("\(place): an entry of the allow list needs `until: YYYY-MM-DD`")
                }
            }
            guard let expression = RegularExpression(match) else {
                throw RunnerError("\(place): '\(match)' is not a regular expression")
            }
            result.append((Entry(match: match, reason: reason, until: fields["until"]), expression))
            fields = [:]
        }
        return result
    }

    /// Finds denied lines among lines of a kernel's log, with or without time stamps.
    /// - Parameter today: the date as YYYY-MM-DD.
    func scan(_ lines: [String], today: String = currentDate()) -> [Splat] {
        var splats: [Splat] = []
        for (index, line) in lines.enumerated() {
            let text = SplatRules.message(line)
            guard let rule = deny.first(where: { $0.expression.matches(text) }) else { continue }
            let allowed = allow.contains { ($0.entry.until ?? "") >= today && $0.expression.matches(text) }
            if !allowed { splats.append(Splat(index: index, line: text, reason: rule.entry.reason)) }
        }
        return splats
    }

    /// A log line without its "[   12.345678]" and "[    T1]" prefixes.
    static func message(_ line: String) -> String {
        var rest = line[...]
        while rest.first == "[", let end = rest.firstIndex(of: "]") {
            rest = rest[rest.index(after: end)...].drop { $0 == " " }
        }
        return String(rest)
    }

    static func currentDate() -> String {
        var now = time(nil)
        var parts = tm()
        gmtime_r(&now, &parts)
        func digits(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
        return "\(1900 + parts.tm_year)-\(digits(parts.tm_mon + 1))-\(digits(parts.tm_mday))"
    }
}

/// A compiled POSIX extended regular expression. See: 'man 3 regcomp'.
private final class RegularExpression: @unchecked Sendable {
    // Compiled once and never changed; regexec takes it as const and may be called from several threads.
    private var compiled = regex_t()

    init?(_ pattern: String) {
        guard regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) == 0 else { return nil }
    }

    deinit { regfree(&compiled) }

    func matches(_ text: String) -> Bool { regexec(&compiled, text, 0, nil, 0) == 0 }
}
