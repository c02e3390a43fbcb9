// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// The verifier's log of one program.
public struct VerifierLog: Sendable, Equatable {
    /// The log as the kernel wrote it, without trailing NUL bytes.
    public var text: String

    public init(text: String) {
        self.text = text
    }

    /// The log line by line, blank lines left out.
    public var lines: [Substring] {
        text.split(whereSeparator: \.isNewline).filter { !$0.allSatisfy(\.isWhitespace) }
    }

    /// What says why the program was refused, in few lines without indentation.
    ///
    /// The kernel closes the log with statistics, newer kernels with a report before these; the verifier's own words are the
    /// line before. Where that line only goes on from the one above it (a register's state, an access or arguments that are
    /// explained above), that one is kept too. A report of a policy only repeats the verifier's words and is left out.
    ///
    /// Where an import is refused, what the verifier said of the function comes before, as the whole of a log.
    public var conclusion: [String] {
        if let index = lines.lastIndex(where: { $0.hasPrefix("cannot import ") && $0.hasSuffix(Self.refusalOfKind) }) {
            return VerifierLog(text: lines[..<index].joined(separator: "\n")).conclusion + [String(lines[index])]
        }
        let suggestion = self.suggestion
        let words = lines.prefix { !$0.hasPrefix(Self.reportTitle) }
            .filter { !Self.isStatistics($0) && suggestion?.begins(with: $0) != true }
        var conclusion: [String] = []
        if let last = words.last {
            // Advice comes after the reason (`bpf_add_provider()` in kernel/bpf/prog_call.c of the series).
            let isAdvice = words.dropLast().last.map { $0.hasPrefix("cannot import ") || $0.hasPrefix("cannot export ") } ?? false
            conclusion = words.suffix(isAdvice || Self.goesOn(last) ? 2 : 1).map { String($0.drop(while: \.isWhitespace)) }
        }
        let problem = lines.last { $0.hasPrefix(Self.reportTitle) }?.dropFirst(Self.reportTitle.count)
        if let problem, !problem.hasPrefix("Policy: ") {
            conclusion.append(problem + (section("Reason:").map { ": " + $0 } ?? ""))
        }
        return conclusion
    }

    /// The line of source that the verifier was at when it refused, as kernels since 6.9 tell it: `app.bpf.c:27: return *value;`. nil
    /// if no instruction is at fault, or the program was compiled without lines.
    public var place: String? {
        let lines = lines
        // `verbose_linfo()` in kernel/bpf/log.c: `; TEXT @ FILE:LINE` before the instructions of the line.
        guard let index = lines.lastIndex(where: { $0.hasPrefix("; ") && $0.contains(" @ ") }),
            lines[index...].contains(where: Self.isInstruction), !lines[index...].contains(where: { $0.contains(" is safe for any args ") })
        else { return nil }
        let parts = lines[index].dropFirst(2).split(separator: " @ ", omittingEmptySubsequences: false)
        guard let file = parts.last, parts.count > 1 else { return nil }
        return "\(file): \(parts.dropLast().joined(separator: " @ "))"
    }

    /// What the kernel's report suggests to do, if it has one.
    public var suggestion: String? { section("Suggestion:") }

    /// `check_import()` in kernel/bpf/prog_call.c of the series.
    private static let refusalOfKind = ": it is not valid in programs of this kind"

    /// First line of a report of kernel/bpf/diagnostics.c; its sections have a title and indented lines.
    private static let reportTitle = "Verification failed: "

    private func section(_ title: String) -> String? {
        guard let start = lines.lastIndex(of: Substring(title)) else { return nil }
        let body = lines[(start + 1)...].prefix { $0.first?.isWhitespace == true }
        return body.isEmpty ? nil : body.map { String($0.drop(while: \.isWhitespace)) }.joined(separator: " ")
    }

    /// `7: (79) r0 = *(u64 *)(r0 +0)`
    private static func isInstruction(_ line: Substring) -> Bool {
        line.prefix { $0 != ":" }.allSatisfy(\.isWholeNumber) && line.contains(": (")
    }

    /// Lines of `print_verification_stats()` in kernel/bpf/verifier.c.
    private static func isStatistics(_ line: Substring) -> Bool {
        line.hasPrefix("processed ") || line.hasPrefix("verification time ") || line.hasPrefix("stack depth ")
    }

    /// Whether the line is to be read with the one above it. Registers are `R0` to `R10`.
    private static func goesOn(_ line: Substring) -> Bool {
        line.first == "\t" || line.hasPrefix("invalid bpf_context access") || line.hasPrefix("Caller passes invalid args")
            || (line.first == "R" && line.dropFirst().first?.isWholeNumber == true)
    }
}

extension String {
    /// Whether a sentence is the beginning of this one.
    fileprivate func begins(with sentence: Substring) -> Bool {
        hasPrefix(sentence.last == "." ? sentence.dropLast() : sentence)
    }
}
