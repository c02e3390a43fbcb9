// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLink

/// Something wrong, ready to be told: what, where, why, and what to do.
public struct Diagnostic: Error, Sendable, Equatable {
    public enum Severity: String, Sendable {
        case error
        case warning
        case note
    }

    public var severity = Severity.error
    /// The kind of failure, stable across versions; it names the diagnostic in JSON.
    public var code: String
    /// What is wrong: lower case, no full stop, names in backticks.
    public var message: String
    /// The places concerned, each as `referenced by …` or alike.
    public var places: [String] = []
    public var notes: [String] = []
    public var help: [String] = []
    /// Long texts that only `--debug` and JSON show, by name: the verifier's log, libbpf's messages.
    public var details: [Detail] = []
    /// What only JSON shows: the facts of the message as values.
    public var facts: [JSONValue.Member] = []

    public struct Detail: Sendable, Equatable {
        public var name: String
        public var lines: [String]
    }

    public init(
        _ severity: Severity = .error, code: String, _ message: String, places: [String] = [], notes: [String] = [],
        help: [String] = [], details: [Detail] = [], facts: KeyValuePairs<String, JSONValue?> = [:]
    ) {
        self.severity = severity
        self.code = code
        self.message = message
        self.places = places
        self.notes = notes
        self.help = help
        self.details = details
        self.facts = facts.compactMap { name, value in value.map { JSONValue.Member(name: name, value: $0) } }
    }

    /// For people: the message, then places, notes and help on lines of their own.
    ///
    /// - Parameter details: whether the long texts follow, too.
    public func text(details showsDetails: Bool = false) -> String {
        var lines = ["\(severity.rawValue): \(message)"]
        lines += places.map { "  \($0)" }
        lines += notes.map { "note: \($0)" }
        if showsDetails {
            for detail in details { lines += ["\(detail.name):"] + detail.lines.map { "  \($0)" } }
        }
        lines += help.map { "help: \($0)" }
        if !showsDetails, let log = details.first(where: { $0.name == Self.verifierLog }) {
            lines.append("help: `-d` shows the verifier's log whole (\(log.lines.count) lines)")
        }
        return lines.joined(separator: "\n")
    }

    static let verifierLog = "verifier log"

    /// For programs.
    public var json: JSONValue {
        var value: [JSONValue.Member] = []
        func add(_ name: String, _ member: JSONValue?) {
            if let member { value.append(.init(name: name, value: member)) }
        }
        // What an error is stands under that name.
        if severity != .error { add("severity", .string(severity.rawValue)) }
        add("code", .string(code))
        add("message", .string(message))
        add("places", .strings(places))
        add("notes", .strings(notes))
        add("help", .strings(help))
        for detail in details {
            add(detail.name.split(separator: " ").joined(separator: "_"), .array(detail.lines.map(JSONValue.string)))
        }
        return .object(value + facts)
    }
}

/// Everything that made a command fail; never empty.
public struct Diagnostics: Error, Sendable {
    public var all: [Diagnostic]

    public init(_ all: [Diagnostic]) {
        self.all = all
    }

    /// `{"error": …}`, with all of them under `errors` if there are several.
    public var json: JSONValue {
        .object(["error": all[0].json, "errors": all.count > 1 ? .array(all.map(\.json)) : nil])
    }
}

extension Diagnostic {
    /// A failure that the kernel, libbpf or the machine is the cause of.
    init(_ error: KernelError) {
        var details: [Detail] = []
        if let log = error.verifierLog {
            details.append(Detail(name: Self.verifierLog, lines: log.lines.map(String.init)))
        }
        if !error.libbpfLog.isEmpty { details.append(Detail(name: "libbpf log", lines: error.libbpfLog)) }
        self.init(
            code: error.code.rawValue, error.message, places: error.verifierLog?.place.map { ["at \($0)"] } ?? [], notes: error.notes,
            help: error.help, details: details)
    }
}
