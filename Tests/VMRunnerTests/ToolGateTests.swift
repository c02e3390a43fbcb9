// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Testing

@testable import VMRunner

@Suite struct ToolGateTests {
    func verdicts(_ toy: ToySeries) throws -> [Verdict] {
        let gate = ToolGate(directory: "\(toy.directory)/tools", jobs: 1)
        return try ReviewTests.review(toy, [gate]).table().patches.map { $0.verdicts[0].verdict }
    }

    @Test func aToolThatIsTouchedBuildsWithoutNewWarnings() throws {
        let toy = try ToySeries(
            ["/* nothing */", "static int unused(void) { return 0; }", "/* nothing */", "int broken(void) { return x; }"],
            file: "tools/bpf/bpftool/main.c")
        let found = try verdicts(toy)
        #expect(found.map(\.outcome) == [.passed, .failed, .passed, .failed])
        #expect(found.map(\.remark).prefix(3) == ["0 → 0 warnings", "0 → 1 warnings", "1 → 1 warnings"])
        #expect(found[1].words == ["main.c: 'unused' defined but not used [-Wunused-function]"])
        #expect(found[3].words.contains("tools/bpf/bpftool does not build:"))
        #expect(found[3].words.contains { $0.contains("'x' undeclared") })
    }

    @Test func whatDidNotBuildBeforeCannotBeJudged() throws {
        let toy = try ToySeries(["int broken(void) { return x; }", "/* nothing */"], file: "tools/bpf/bpftool/main.c")
        let found = try verdicts(toy)
        #expect(found.map(\.outcome) == [.failed, .cannotRun])
        #expect(found[1].words.first == "tools/bpf/bpftool does not build before the patch:")
    }

    @Test func aPatchForTheKernelHasNothingToShow() throws {
        let found = try verdicts(try ToySeries(["/* one */"]))
        #expect(found[0].outcome == .passed && found[0].remark == "untouched")
    }
}
