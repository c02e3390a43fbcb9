// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// What the sources of the selftests tell about the tests: their names, and the files that make them what they are.
struct SelftestSources: Equatable, Sendable {
    /// The directory of the selftests in a kernel's tree.
    static let directory = "tools/testing/selftests/bpf"

    /// The tests of test_progs, in the order in which it runs them.
    var tests: [String]
    /// By file, relative to the directory of the selftests: what of each suite it is about. For test_verifier these
    /// are titles, for veristat objects.
    var subjects: [String: Subject]

    struct Subject: Equatable, Sendable {
        var kind: SelftestSuite.Kind
        var names: [String]
    }

    /// Reads them in the tree that was built.
    init(directory: String) throws(RunnerError) {
        tests = []
        subjects = [:]
        var includers: [String: [String]] = [:]
        var ofFile: [String: [String]] = [:]
        for name in try Files.list("\(directory)/prog_tests") where name.hasSuffix(".c") {
            let text = try Files.text("\(directory)/prog_tests/\(name)")
            let defined = SelftestSources.tests(text)
            tests += defined
            ofFile[name] = defined
            subjects["prog_tests/\(name)"] = Subject(kind: .progs, names: defined)
            for skeleton in SelftestSources.skeletons(text) { includers[skeleton, default: []].append(name) }
        }
        tests.sort()
        for name in try Files.list("\(directory)/progs") where name.hasSuffix(".c") {
            let stem = String(name.dropLast(2))
            // verifier.c holds a test per program, of the same name.
            let users = (includers[stem] ?? []).flatMap { ofFile[$0] ?? [] }
            subjects["progs/\(name)"] = Subject(kind: .progs, names: users.contains(stem) ? [stem] : users)
        }
        for name in try Files.list("\(directory)/verifier") where name.hasSuffix(".c") {
            let titles = SelftestSources.titles(try Files.text("\(directory)/verifier/\(name)"))
            subjects["verifier/\(name)"] = Subject(kind: .verifier, names: titles)
        }
    }

    init(tests: [String], subjects: [String: Subject]) {
        self.tests = tests
        self.subjects = subjects
    }

    /// From lines `void test_NAME(void)` and `void serial_test_NAME(void)`, as the Makefile finds them.
    static func tests(_ text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            for prefix in ["void test_", "void serial_test_"] where line.hasPrefix(prefix) {
                let rest = line.dropFirst(prefix.count)
                let name = rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" }
                let end = rest.dropFirst(name.count)
                if end.hasPrefix("(void)") || end.hasPrefix("()") { return String(name) }
            }
            return nil
        }
    }

    /// From lines `#include "NAME.skel.h"` and their like.
    static func skeletons(_ text: String) -> [String] {
        text.split(separator: "\n").compactMap { line in
            guard line.hasPrefix("#include \""), line.contains("skel.h\"") else { return nil }
            return line.dropFirst("#include \"".count).split(separator: ".").first.map(String.init)
        }
    }

    /// The first text of each entry of a table of test_verifier.
    static func titles(_ text: String) -> [String] {
        let lines = text.split(separator: "\n")
        return zip(lines, lines.dropFirst()).compactMap { (before, line) in
            guard before == "{", line.hasPrefix("\t\""), line.hasSuffix("\",") else { return nil }
            return String(line.dropFirst(2).dropLast(2))
        }
    }

    /// What is about files that the series changes: differences between the kernels are to be expected there.
    func touched(by files: some Sequence<String>) -> TouchedTests {
        var touched = TouchedTests()
        let prefix = "\(SelftestSources.directory)/"
        for file in files where file.hasPrefix(prefix) {
            let name = String(file.dropFirst(prefix.count))
            guard let subject = subjects[name] else { continue }
            switch subject.kind {
            case .progs: touched.tests.formUnion(subject.names)
            case .verifier: touched.titles.formUnion(subject.names)
            case .maps, .veristat: break
            }
            if name.hasPrefix("progs/") {
                touched.objects.insert(String(name.dropFirst("progs/".count).dropLast(2)) + ".bpf.o")
            }
        }
        return touched
    }
}

/// The tests that the series adds or changes.
struct TouchedTests: Equatable, Sendable {
    /// Of test_progs.
    var tests: Set<String> = []
    /// Of test_verifier.
    var titles: Set<String> = []
    /// Objects that veristat loads.
    var objects: Set<String> = []

    func holds(_ name: String, _ kind: SelftestSuite.Kind) -> Bool {
        switch kind {
        case .maps: return false
        case .progs: return tests.contains(SelftestResult.item(name))
        case .veristat: return objects.contains(SelftestResult.item(name))
        case .verifier:
            // "#12/p title"
            guard let space = name.firstIndex(of: " ") else { return false }
            return titles.contains(String(name[name.index(after: space)...]))
        }
    }
}
