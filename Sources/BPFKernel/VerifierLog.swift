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

    /// The last lines, which say why the program was refused, without indentation.
    ///
    /// The kernel closes the log with statistics; the reason is the line before those. Where that line only goes on from the
    /// one above it (a register's state, an access that is explained above), that one is kept too.
    public var conclusion: [String] {
        let reasons = lines.filter { !Self.isStatistics($0) }
        guard let last = reasons.last else { return [] }
        let needsContext = last.first == "\t" || Self.isRegisterState(last) || last.hasPrefix("invalid bpf_context access")
        return reasons.suffix(needsContext ? 2 : 1).map { String($0.drop(while: \.isWhitespace)) }
    }

    /// Lines of `print_verification_stats()` in kernel/bpf/verifier.c.
    private static func isStatistics(_ line: Substring) -> Bool {
        line.hasPrefix("processed ") || line.hasPrefix("verification time ") || line.hasPrefix("stack depth ")
    }

    /// Whether the line begins with a register, `R0` to `R10`.
    private static func isRegisterState(_ line: Substring) -> Bool {
        line.first == "R" && line.dropFirst().first?.isWholeNumber == true
    }
}
