// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// How a test ended.
public enum TestStatus: String, Sendable {
    case passed, failed, skipped
    /// The machine, or the program, ended while it ran.
    case crashed
}

/// What a test program said, as it comes: lines of it give the tests that are done.
struct SelftestOutput: Sendable {
    let kind: SelftestSuite.Kind
    /// By name; `test/subtest` for subtests. A name that is used again gets a number.
    private(set) var tests: [String: TestStatus] = [:]
    /// It has said how many passed: it came to its end.
    private(set) var isComplete = false
    /// veristat's.
    private(set) var programs: [String: ProgramCost] = [:]
    private var header: [String]?
    private var used: [String: Int] = [:]

    init(_ kind: SelftestSuite.Kind) { self.kind = kind }

    /// Takes a line.
    /// - Returns: the test that it says the end of, if it does.
    /// - Throws: `RunnerError` for a line of veristat's that cannot be read.
    mutating func take(_ line: String) throws(RunnerError) -> String? {
        let found: (name: String, status: TestStatus)?
        switch kind {
        case .progs:
            if line.hasPrefix("Summary: ") { isComplete = true }
            found = SelftestOutput.progsTest(line)
        case .verifier:
            if line.hasPrefix("Summary: ") { isComplete = true }
            found = SelftestOutput.verifierTest(line)
        case .maps:
            if line.hasPrefix("test_maps: OK") { isComplete = true }
            found = SelftestOutput.mapsTest(line)
        case .veristat: return try takeVeristat(line)
        }
        guard let found else { return nil }
        let count = (used[found.name] ?? 0) + 1
        used[found.name] = count
        let name = count == 1 ? found.name : "\(found.name) (\(count))"
        tests[name] = found.status
        return name
    }

    /// veristat prints its table at the end, header first.
    private mutating func takeVeristat(_ line: String) throws(RunnerError) -> String? {
        guard let columns = header else {
            if line.hasPrefix(VeristatOutput.header) { header = line.split(separator: ",").map(String.init) }
            return nil
        }
        isComplete = true
        guard !line.isEmpty else { return nil }
        let program = try VeristatOutput.program(line, columns: columns)
        programs[program.name] = program.cost
        return program.name
    }

    /// `#12/3    test/subtest:OK`, `#12      test:OK (SKIP: 1/3)`
    static func progsTest(_ line: String) -> (name: String, status: TestStatus)? {
        guard line.first == "#", let space = line.firstIndex(of: " ") else { return nil }
        let number = line[line.index(after: line.startIndex)..<space]
        guard !number.isEmpty, number.allSatisfy({ $0.isNumber || $0 == "/" }) else { return nil }
        var text = line[space...].drop { $0 == " " }
        if text.hasSuffix(")"), let note = text.ranges(of: " (").last { text = text[..<note.lowerBound] }
        for (suffix, status) in [(":OK", TestStatus.passed), (":FAIL", .failed), (":SKIP", .skipped)]
        where text.hasSuffix(suffix) {
            return (String(text.dropLast(suffix.count)), status)
        }
        return nil
    }

    /// `#12/p title OK`, `#12/u title SKIP`, `#12/p title FAIL…`; words about the run may stand before the verdict.
    static func verifierTest(_ line: String) -> (name: String, status: TestStatus)? {
        guard line.first == "#", let slash = line.firstIndex(of: "/"), let space = line.firstIndex(of: " "), slash < space,
            line[line.index(after: line.startIndex)..<slash].allSatisfy(\.isNumber),
            ["p", "u"].contains(line[line.index(after: slash)..<space])
        else { return nil }
        let status: TestStatus
        if line.hasSuffix(" OK") || line.contains(" OK (NOTE: ") {
            status = .passed
        } else if line.contains(" SKIP") {
            status = .skipped
        } else {
            status = .failed
        }
        var name = line[...]
        for marker in [" Did not run the program", " OK", " SKIP", " FAIL", " cases", ", verifier log"] {
            if let range = name.ranges(of: marker).last { name = name[..<range.lowerBound] }
        }
        if line.contains(" cases"), let space = name.lastIndex(of: " ") { name = name[..<space] }
        return (String(name), status)
    }

    /// `test_name:PASS`, `test_name: PASS with words`; the tests that pass without a word are known by the last line.
    static func mapsTest(_ line: String) -> (name: String, status: TestStatus)? {
        if line.hasPrefix("test_maps: OK") { return ("test_maps", .passed) }
        for (word, status) in [("PASS", TestStatus.passed), ("SKIP", .skipped)] {
            for separator in [":", ": "] {
                guard let range = line.firstRange(of: separator + word), !line[..<range.lowerBound].contains(" ") else {
                    continue
                }
                return (String(line[..<range.lowerBound] + line[range.upperBound...]), status)
            }
        }
        return nil
    }
}

/// What the verifier said about a program, and what that cost.
struct ProgramCost: Equatable, Sendable {
    var verdict: String
    var instructions: Int
    var states: Int
    /// Of the load, in microseconds.
    var duration: Int
}

/// veristat's table.
enum VeristatOutput {
    static let columns = ["file_name", "prog_name", "verdict", "total_insns", "total_states", "duration"]
    static var header: String { "file_name,prog_name," }

    /// A line of its comma-separated values.
    static func program(_ line: String, columns: [String]) throws(RunnerError) -> (name: String, cost: ProgramCost) {
        let values = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        func value(_ name: String) -> String? {
            columns.firstIndex(of: name).flatMap { $0 < values.count ? values[$0] : nil }
        }
        guard values.count == columns.count, let file = value("file_name"), let program = value("prog_name"),
            let verdict = value("verdict"), let instructions = value("total_insns").flatMap({ Int($0) }),
            let states = value("total_states").flatMap({ Int($0) }), let duration = value("duration").flatMap({ Int($0) })
        else { throw RunnerError("veristat's line '\(line)' cannot be read") }
        return (
            "\(file)/\(program)",
            ProgramCost(verdict: verdict, instructions: instructions, states: states, duration: duration)
        )
    }
}
