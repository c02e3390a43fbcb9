// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import VMProtocol

/// A line of a kernel's log that the deny list names, and the test that it came with.
struct SelftestSplat: Hashable, Sendable {
    var line: String
    /// The test that ended next; nil if none did.
    var test: String?

    /// The line without what differs from run to run: numbers.
    var fingerprint: String {
        var result = ""
        for word in line.split(separator: " ") {
            let plain = word.contains { $0.isNumber } ? "#" : String(word)
            result += result.isEmpty ? plain : " \(plain)"
        }
        return result
    }
}

/// What one shard, or a whole suite, came to on one kernel.
struct SelftestResult: Equatable, Sendable {
    var tests: [String: TestStatus] = [:]
    /// veristat's, by `object/program`.
    var programs: [String: ProgramCost] = [:]
    var splats: [SelftestSplat] = []
    /// Machines that ended, or programs that broke off, in words.
    var failures: [String] = []
    /// Tests that came out differently when they were run again.
    var unsteady: Set<String> = []
    var milliseconds = 0
    /// Tests of test_progs that were not run, because on the other kernel they pass with all their subtests.
    var omitted: Set<String> = []

    /// The tests of a shard of test_progs that this leaves in doubt: they, or one of their subtests, do not pass, or the kernel
    /// had something to say; all of them if it is not known with which.
    func itemsInDoubt(of shard: SelftestShard) -> [String] {
        guard failures.isEmpty, splats.allSatisfy({ $0.test != nil }) else { return shard.items }
        var doubtful = Set(splats.compactMap { $0.test.map(SelftestResult.item) })
        for (name, status) in tests where status != .passed { doubtful.insert(SelftestResult.item(name)) }
        return shard.items.filter { doubtful.contains($0) || tests[$0] == nil }
    }

    /// The test that a subtest belongs to, or the test itself.
    static func item(_ name: String) -> String { String(name.prefix { $0 != "/" }) }

    /// Adds what another shard came to.
    mutating func add(_ other: SelftestResult) {
        tests.merge(other.tests) { $1 }
        programs.merge(other.programs) { $1 }
        splats += other.splats
        failures += other.failures
        unsteady.formUnion(other.unsteady)
        omitted.formUnion(other.omitted)
        milliseconds += other.milliseconds
    }

    /// Adds what tests came to when they were run once more: a test that passed in one of its runs passes.
    mutating func addRepetition(_ other: SelftestResult) {
        for (name, status) in other.tests {
            let before = tests[name]
            if before == status { continue }
            if before != nil { unsteady.insert(name) }
            if before != .passed { tests[name] = status }
        }
        splats += other.splats
        milliseconds += other.milliseconds
    }

    /// Removes what is denied: tests, or objects of veristat.
    /// - Returns: how many.
    mutating func remove(_ denied: Set<String>) -> Int {
        func isDenied(_ name: String) -> Bool {
            denied.contains(name) || name.firstIndex(of: "/").map { denied.contains(String(name[..<$0])) } ?? false
        }
        let before = tests.count + programs.count
        tests = tests.filter { !isDenied($0.key) }
        programs = programs.filter { !isDenied($0.key) }
        return before - tests.count - programs.count
    }
}

extension SelftestResult {
    /// For the cache.
    var json: JSON {
        func names(_ status: TestStatus) -> JSON {
            .array(tests.filter { $0.value == status }.map(\.key).sorted().map(JSON.string))
        }
        let statuses: [TestStatus] = [.passed, .failed, .skipped, .crashed]
        return .object(
            statuses.map { .init($0.rawValue, names($0)) } + [
                .init(
                    "programs",
                    .array(
                        programs.sorted { $0.key < $1.key }.map { name, cost in
                            [
                                "name": .string(name), "verdict": .string(cost.verdict),
                                "insns": .integer(cost.instructions), "states": .integer(cost.states),
                                "us": .integer(cost.duration),
                            ]
                        })),
                .init(
                    "splats",
                    .array(splats.map { ["line": .string($0.line), "test": $0.test.map(JSON.string) ?? .null] })),
                .init("failures", .array(failures.map(JSON.string))),
                .init("ms", .integer(milliseconds)),
            ])
    }

    /// Reads what `json` wrote; nil for anything else.
    init?(_ json: JSON) {
        for status in [TestStatus.passed, .failed, .skipped, .crashed] {
            guard let names = json[status.rawValue]?.arrayValue else { return nil }
            for name in names {
                guard let name = name.stringValue else { return nil }
                tests[name] = status
            }
        }
        guard let programs = json["programs"]?.arrayValue, let splats = json["splats"]?.arrayValue,
            let failures = json["failures"]?.arrayValue, let milliseconds = json["ms"]?.integerValue
        else { return nil }
        for program in programs {
            guard let name = program["name"]?.stringValue, let verdict = program["verdict"]?.stringValue,
                let instructions = program["insns"]?.integerValue, let states = program["states"]?.integerValue,
                let duration = program["us"]?.integerValue
            else { return nil }
            self.programs[name] = ProgramCost(
                verdict: verdict, instructions: instructions, states: states, duration: duration)
        }
        for splat in splats {
            guard let line = splat["line"]?.stringValue else { return nil }
            self.splats.append(SelftestSplat(line: line, test: splat["test"]?.stringValue))
        }
        self.failures = failures.compactMap(\.stringValue)
        self.milliseconds = milliseconds
    }
}
