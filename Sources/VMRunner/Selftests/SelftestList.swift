// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc

/// A list of tests that are treated otherwise than the rest, each with its reason.
///
/// Lines `SUITE TEST # reason`: SUITE is a shell pattern for names of suites, TEST the name of a test, of a subtest
/// (`test/subtest`) or, for veristat, of an object. Lines that start with `#` are comments.
struct SelftestList: Sendable {
    struct Entry: Equatable, Sendable {
        var suites: String
        var test: String
        var reason: String
        /// Where it stands.
        var place: String
    }

    var entries: [Entry]

    init(file: String) throws(RunnerError) { try self.init(parsing: try Files.text(file), name: file) }

    init(parsing text: String, name: String) throws(RunnerError) {
        entries = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let place = "\(name):\(index + 1)"
            if line.hasPrefix("#") || line.allSatisfy({ $0 == " " || $0 == "\t" }) { continue }
            let parts = line.split(separator: "#", maxSplits: 1)
            let words = parts[0].split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
            let reason = parts.count > 1 ? String(parts[1].drop { $0 == " " }) : ""
            guard words.count == 2 else { throw RunnerError("\(place): expected `SUITE TEST # reason`, not '\(line)'") }
            guard !reason.isEmpty else { throw RunnerError("\(place): '\(words[1])' has no reason", help: "add ` # reason`") }
            guard SelftestSuite.allCases.contains(where: { fnmatch(words[0], $0.rawValue, 0) == 0 }) else {
                throw RunnerError("\(place): no suite is named '\(words[0])'")
            }
            guard !entries.contains(where: { $0.suites == words[0] && $0.test == words[1] }) else {
                throw RunnerError("\(place): '\(words[1])' is there twice")
            }
            entries.append(Entry(suites: words[0], test: words[1], reason: reason, place: place))
        }
    }

    /// The tests of one suite that are on the list.
    func tests(of suite: SelftestSuite) -> [String] {
        entries.filter { fnmatch($0.suites, suite.rawValue, 0) == 0 }.map(\.test)
    }

    /// An entry that names nothing would go on to be believed in.
    /// - Throws: `RunnerError` if a test is listed that a suite has not got.
    func check(_ suite: SelftestSuite, exists: (String) -> Bool) throws(RunnerError) {
        for entry in entries where fnmatch(entry.suites, suite.rawValue, 0) == 0 && !exists(entry.test) {
            throw RunnerError(
                "\(entry.place): \(suite.rawValue) has no test '\(entry.test)'", help: "remove the entry, or correct its name")
        }
    }
}
