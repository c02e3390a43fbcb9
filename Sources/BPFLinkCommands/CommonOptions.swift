// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import ArgumentParser
import BPFLink
import SystemPackage

/// The options that every command has, and what they mean for output: data goes to stdout, words to stderr; with `--json`
/// stdout carries one JSON value, whether the command succeeds or not; what a success says on stderr otherwise is its `notes`.
public struct CommonOptions: ParsableArguments {
    @Flag(name: [.short, .long], help: "Print JSON, errors and notes included.")
    public var json = false

    @Flag(name: [.short, .long], help: "Print JSON over several lines.")
    public var pretty = false

    @Flag(name: [.short, .long], help: "Show libbpf's messages and the verifier's log whole.")
    public var debug = false

    public init() {}

    private var printsJSON: Bool { json || pretty }

    /// Runs a command's work and prints what comes of it.
    ///
    /// - Parameter work: returns what is to be printed.
    /// - Throws: `ExitCode.failure` after the diagnostics have been printed.
    func report(_ work: () throws -> Report) throws {
        let report = try failing(work)
        for warning in report.warnings { warn(warning) }
        try print(report)
    }

    /// Does a part of a command's work that prints nothing if it succeeds.
    ///
    /// - Throws: `ExitCode.failure` after the diagnostics have been printed.
    func failing<Result>(_ work: () throws -> Result) throws -> Result {
        do {
            return try work()
        } catch let failure as Diagnostics {
            try fail(failure)
        } catch let failure as Diagnostic {
            try fail(Diagnostics([failure]))
        } catch let failure as KernelError {
            try fail(Diagnostics([Diagnostic(failure)]))
        }
    }

    /// Prints a command's result.
    ///
    /// - Throws: `ExitCode.failure` if it cannot be printed; that is said on stderr then, with what the command has done.
    private func print(_ report: Report) throws {
        let text = printsJSON ? report.jsonWithNotes().text(pretty: pretty) : report.text()
        if text.isEmpty { return }
        if report.goesToStandardError { return Self.complain(text) }
        do throws(Errno) {
            try Self.write(text + "\n", to: .standardOutput)
        } catch {
            Self.complain(about: error, leaving: report.change.map { "\($0)\n\(report.text())" })
            throw ExitCode.failure
        }
    }

    /// Says what may not be what the user wants; JSON output has it among its notes, or not at all.
    func warn(_ warning: Diagnostic) {
        if !printsJSON { Self.complain(warning.text(details: debug)) }
    }

    private func fail(_ failure: Diagnostics) throws -> Never {
        let text = failure.all.map { $0.text(details: debug) }.joined(separator: "\n\n")
        if printsJSON {
            do throws(Errno) {
                try Self.write(failure.json.text(pretty: pretty) + "\n", to: .standardOutput)
            } catch {
                Self.complain(text)
                Self.complain(about: error)
            }
        } else {
            Self.complain(text)
        }
        throw ExitCode.failure
    }

    /// Says that stdout cannot be written to.
    ///
    /// - Parameter change: what was done nevertheless, which nobody would know of otherwise.
    static func complain(about error: Errno, leaving change: String? = nil) {
        let failure = Diagnostic(code: "output", "the output cannot be written: \(error)", notes: change.map { [$0] } ?? [])
        complain(failure.text())
    }

    /// Writes words on stderr. If that fails, there is nobody left to tell.
    private static func complain(_ text: String) { try? write(text + "\n", to: .standardError) }

    /// Line ends and tabs pass; the other control characters (C0, DEL, C1) do not.
    private static func harmless(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        switch scalar.value {
        case 0x0a, 0x09: scalar
        case 0..<0x20, 0x7f..<0xa0: "?"
        default: scalar
        }
    }

    /// Whether all of it is ASCII that ``harmless(_:)`` leaves alone.
    private static func isPlain(_ text: String) -> Bool {
        var text = text
        return text.withUTF8 { $0.allSatisfy { (0x20..<0x7f).contains($0) || $0 == 0x0a || $0 == 0x09 } }
    }

    /// Writes words. Names come from objects, and an object from anywhere: what would steer a terminal is shown as `?`.
    ///
    /// - Throws: why not all of it could be written.
    static func write(_ text: String, to stream: FileDescriptor) throws(Errno) {
        // Nearly all text is harmless as it is, and looking at bytes takes a tenth of the time.
        let text = isPlain(text) ? text : String(String.UnicodeScalarView(text.unicodeScalars.map(Self.harmless)))
        do {
            try stream.writeAll(text.utf8)
        } catch {
            throw error as? Errno ?? .ioError
        }
    }
}

/// What a command prints when it succeeds. Only one of its two forms is asked for, and made then.
struct Report {
    let text: () -> String
    let json: () -> JSONValue
    var warnings: [Diagnostic] = []
    /// What the command did, if that lasts: words for those who cannot be given the report.
    var change: String?
    /// Set where stdout belongs to a command that bpflink runs.
    var goesToStandardError = false

    init(text: @autoclosure @escaping () -> String, json: @autoclosure @escaping () -> JSONValue) {
        self.text = text
        self.json = json
    }

    /// The value with what else is to be said, as the text has it on stderr.
    func jsonWithNotes() -> JSONValue {
        let value = json()
        guard !warnings.isEmpty, case .object(let members) = value else { return value }
        return .object(members + [JSONValue.Member(name: "notes", value: .array(warnings.map(\.json)))])
    }
}
