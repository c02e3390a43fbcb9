// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc

/// One case of a suite, as the suite's executable lists it.
public struct SuiteCase: Equatable, Sendable {
    public var name: String
    /// The CPUs that it wants; attribute `cpus`.
    public var cpus = 1
    /// How many times as long as others it may take; attribute `patience`.
    public var patience = 1

    /// Reads what `EXECUTABLE --list` printed: one name per line, attributes (`cpus=2`, `patience=3`) after tabs.
    static func parse(_ listing: String) throws(RunnerError) -> [SuiteCase] {
        var cases: [SuiteCase] = []
        for line in listing.split(separator: "\n") {
            let fields = line.split(separator: "\t", omittingEmptySubsequences: false)
            var item = SuiteCase(name: String(fields[0]))
            guard !item.name.isEmpty else { throw RunnerError("the suite lists a case without a name: '\(line)'") }
            for attribute in fields.dropFirst() {
                let parts = attribute.split(separator: "=", maxSplits: 1)
                switch (parts.first, parts.count == 2 ? Int(parts[1]) : nil) {
                case ("cpus", let count?) where (1...64).contains(count): item.cpus = count
                case ("patience", let factor?) where (1...100).contains(factor): item.patience = factor
                default: throw RunnerError("the suite lists \(item.name) with an unknown attribute '\(attribute)'")
                }
            }
            guard !cases.contains(where: { $0.name == item.name }) else {
                throw RunnerError("the suite lists \(item.name) twice")
            }
            cases.append(item)
        }
        return cases
    }

    /// The cases that filters choose: each filter the case of that very name, else those that the pattern (glob(7))
    /// matches or in whose names it occurs. No filters choose all.
    public static func select(_ cases: [SuiteCase], _ filters: [String]) -> [SuiteCase] {
        if filters.isEmpty { return cases }
        let names = Set(cases.map(\.name))
        return cases.filter { item in
            filters.contains { filter in
                if names.contains(filter) { return item.name == filter }
                return fnmatch(filter, item.name, 0) == 0 || item.name.contains(filter)
            }
        }
    }
}

/// What became of a case.
public struct CaseResult: Sendable {
    public enum Outcome: Equatable, Sendable {
        case passed
        case skipped(reason: String)
        /// The case itself said that it failed, and how.
        case failed(reason: String)
        /// The guest failed.
        case guest(Failure)
    }

    public var name: String
    public var outcome: Outcome
    /// What it printed, both streams as they came.
    public var output: String
    /// The kernel's log during the case.
    public var kernelLog: [String]
    /// From the machine's start or restoration to its end, on the host.
    public var duration: Duration

    public var isFailure: Bool {
        switch outcome {
        case .passed, .skipped: false
        case .failed, .guest: true
        }
    }

    public var seconds: Double {
        Double(duration.components.seconds) + Double(duration.components.attoseconds) / 1e18
    }

    /// The exit code by which a case says that it cannot be run here (that of the kernel's own selftests).
    static let skipCode = 4

    /// Judges a case by its end record, after the guest was found to be well.
    static func judge(exitCode: Int, output: String) -> Outcome {
        switch exitCode {
        case 0: .passed
        case skipCode: .skipped(reason: lastLine(output) ?? "no reason given")
        default: .failed(reason: "exit code \(exitCode)")
        }
    }

    private static func lastLine(_ text: String) -> String? { text.split(separator: "\n").last.map(String.init) }
}
