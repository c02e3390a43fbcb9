// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import SystemPackage
import Testing

@testable import VMRunner

@Suite struct WarningsTests {
    @Test func aBuildsWordsAreSortedByWhoSaidThem() {
        let words = BuildWords(
            parsing: """
                  CALL    scripts/checksyscalls.sh
                  CC      kernel/bpf/a.o
                ../kernel/bpf/a.c:12:3: warning: unused variable 'x' [-Wunused-variable]
                /src/include/linux/h.h: In function 'f':
                /src/include/linux/h.h:7:1: warning: no previous prototype [-Wmissing-prototypes]
                  CHECK   /src/kernel/bpf/a.c
                /src/kernel/bpf/a.c:5:9: warning: symbol 'y' was not declared. Should it be static?
                /src/kernel/bpf/a.c:6:9: error: incompatible types in comparison expression (different address spaces):
                /src/kernel/bpf/a.c:6:9:    struct s [noderef] __rcu *
                Warning: kernel/bpf/a.c:3 function parameter 'z' not described in 'g'

                """, source: "/src")
        #expect(
            words.compiler.counts == [
                "kernel/bpf/a.c: unused variable 'x' [-Wunused-variable]": 1,
                "include/linux/h.h: no previous prototype [-Wmissing-prototypes]": 1,
            ])
        #expect(
            words.checker.counts == [
                "kernel/bpf/a.c: symbol 'y' was not declared. Should it be static?": 1,
                "kernel/bpf/a.c: error: incompatible types in comparison expression (different address spaces):": 1,
            ])
        #expect(words.compiled == ["kernel/bpf/a.c"])
    }

    static func warnings(_ list: [(String, String, Int)]) -> Warnings {
        var warnings = Warnings()
        for (file, text, count) in list { warnings.add(file: file, text: text, count: count) }
        return warnings
    }

    @Test func moreOfAnOldWarningIsNews() {
        let before = Self.warnings([("a.c", "old", 1), ("a.c", "gone", 1)])
        #expect(Self.warnings([("a.c", "old", 1)]).news(since: before).isEmpty)
        #expect(
            Self.warnings([("a.c", "old", 2), ("b.c", "new", 1)]).news(since: before) == ["a.c: old (1 → 2 times)", "b.c: new"])
    }

    @Test func filesThatWereNotCompiledKeepTheirWarnings() {
        let before = Self.warnings([("a.c", "mended", 1), ("b.c", "kept", 2), ("h.h", "seen from b.c", 1)])
        let observed = Self.warnings([("a.c", "new", 1), ("g.h", "seen", 3)])
        #expect(
            before.updated(with: observed, compiled: ["a.c"])
                == Self.warnings([("a.c", "new", 1), ("b.c", "kept", 2), ("h.h", "seen from b.c", 1), ("g.h", "seen", 1)]))
    }
}

@Suite struct BuildGateTests {
    func table(_ toy: ToySeries, checker: String? = nil, _ gates: [any Gate]? = nil) throws -> ReviewTable {
        let lane = try toy.lane(checker: checker)
        return try ReviewTests.review(toy, gates ?? [BuildGate(name: "build", voices: [.compiler], lane: lane)]).table()
    }

    func verdicts(_ table: ReviewTable, _ index: Int = 0) -> [Verdict] { table.patches.map { $0.verdicts[index].verdict } }

    @Test func aNewWarningFails() throws {
        let toy = try ToySeries([
            "static int unused(void) { return 0; }", "/* nothing */", "static int another(void) { return 0; }",
        ])
        let found = verdicts(try table(toy))
        #expect(found.map(\.outcome) == [.failed, .passed, .failed])
        #expect(found.map(\.remark) == ["0 → 1 warnings", "1 → 1 warnings", "1 → 2 warnings"])
        #expect(found[0].words == ["sub/a.c: 'unused' defined but not used [-Wunused-function]"])
        #expect(found[2].words == ["sub/a.c: 'another' defined but not used [-Wunused-function]"])
    }

    @Test func filesAloneAreCompiledForAPatch() throws {
        let toy = try ToySeries(["static int unused(void) { return 0; }"])
        let found = try table(toy, [BuildGate(name: "build", voices: [.compiler], lane: try toy.lane(.files))])
        #expect(verdicts(found).map(\.words) == [["sub/a.c: 'unused' defined but not used [-Wunused-function]"]])
    }

    @Test func whatDoesNotBuildFailsAndWhatComesAfterCannotBeJudged() throws {
        let toy = try ToySeries(["int broken(void) { return x; }", "/* nothing */"])
        let found = verdicts(try table(toy))
        #expect(found.map(\.outcome) == [.failed, .cannotRun])
        #expect(found[0].remark == "does not build")
        #expect(found[0].words.contains { $0.contains("'x' undeclared") })
    }

    @Test func oneBuildAnswersForCompilerAndChecker() throws {
        let toy = try ToySeries(["/* nothing */", "/* flawed */"])
        let checker = "\(toy.directory)/checker"
        let script = "#!/bin/sh\necho run >> \(toy.directory)/runs\ngrep -q flawed $1 && echo $1:3:1: warning: it is flawed\nexit 0\n"
        try Files.write(script.utf8, to: checker, permissions: .init(rawValue: 0o755))
        let lane = try toy.lane(checker: checker)
        let found = try table(
            toy,
            [
                BuildGate(name: "build", voices: [.compiler], lane: lane),
                BuildGate(name: "check", voices: [.checker], lane: lane),
                BuildGate(name: "both", scope: .wholeSeries, voices: [.compiler, .checker], lane: lane),
            ])
        #expect(verdicts(found).map(\.outcome) == [.passed, .passed])
        #expect(verdicts(found, 1).map(\.outcome) == [.passed, .failed])
        #expect(verdicts(found, 1)[1].words == ["sub/a.c: it is flawed"])
        #expect(found.whole.verdicts[0].verdict.remark == "0 → 1 warnings")
        // The base and two patches, each once.
        #expect(try Files.text("\(toy.directory)/runs") == "run\nrun\nrun\n")
    }

    /// The kernel's own judgement of the checker: "1" if it can read the sources.
    @Test(arguments: [
        ("echo 1", "gcc -fmax-warnings=unlimited"),
        (
            "case $3 in -D*) echo 1 ;; *) echo 0 ;; esac",
            "gcc -fmax-warnings=unlimited -D__typeof_unqual__=__typeof__"
        ), ("echo 0", nil),
    ])
    func theTreeSaysWhetherACheckerCanReadIt(_ script: String, _ command: String?) throws {
        let toy = try ToySeries(["/* nothing */"])
        try Files.makeDirectory("\(toy.series.tree)/scripts")
        try Files.write("\(script)\n".utf8, to: "\(toy.series.tree)/scripts/checker-valid.sh")
        if let command {
            #expect(try BuildLane.usableChecker(toy.series.tree, program: "gcc") == command)
        } else {
            let error = #expect(throws: RunnerError.self) { try BuildLane.usableChecker(toy.series.tree, program: "gcc") }
            #expect(error?.message.hasPrefix("gcc is too old for these sources, scripts/checker-valid.sh says: gcc") == true)
        }
        #expect(throws: RunnerError.self) { try BuildLane.usableChecker(toy.series.tree, program: "no-such-checker") }
    }

    @Test func withoutAUsableCheckerItsGateCannotRun() throws {
        let toy = try ToySeries(["/* nothing */"])
        let gate = BuildGate(
            name: "sparse", voices: [.checker], lane: try toy.lane(), obstacle: RunnerError("sparse is too old"))
        #expect(verdicts(try table(toy, [gate])) == [Verdict(.cannotRun, words: ["sparse is too old"])])
    }

    @Test func aConfigurationThatDoesNotComeOutCannotBeJudged() throws {
        let toy = try ToySeries(["/* nothing */"])
        var lane = try toy.lane()
        lane = BuildLane(
            name: "other", directory: lane.directory, configuration: try ReviewConfiguration.parse("other: CONFIG_B=y", name: "f")[0],
            extent: .directories, request: "CONFIG_A=y\n", checker: nil, jobs: 1)
        let found = verdicts(try table(toy, [BuildGate(name: "other", voices: [.compiler], lane: lane)]))
        #expect(found[0].outcome == .cannotRun)
        #expect(found[0].words.last == "CONFIG_B: y was asked for, not set came out")
    }
}

@Suite struct ReviewConfigurationTests {
    @Test func theShippedFileIsWellFormed() throws {
        let file = "\(SplatRulesTests.installation.root)/KernelPatches/configurations"
        let all = try ReviewConfiguration.parse(try Files.text(file), name: file)
        #expect(all.first?.name == "plain" && all.count >= 8)
        let request = try KernelConfig(file: SplatRulesTests.installation.kernelConfig)
        for configuration in all { _ = try configuration.request(upon: request) }
    }

    @Test func aLineSaysWhatIsBuiltAndHow() throws {
        let all = try ReviewConfiguration.parse(
            "# words\n\none: CONFIG_A=n CONFIG_B=\"x\" net/core/filter.o # why\ntwo: allmodconfig ARCH=arm64 CROSS_COMPILE=a-\n",
            name: "f")
        let plain = try KernelConfig(parsing: "CONFIG_A=y\nCONFIG_C=y\n", name: "p")
        #expect(try all[0].request(upon: plain).text == "# CONFIG_A is not set\nCONFIG_B=\"x\"\nCONFIG_C=y\n")
        #expect(all[0].variables == ["ARCH=x86_64"] && all[0].also == ["net/core/filter.o"])
        #expect(all[1].start == "allmodconfig" && all[1].crossPrefix == "a-")
        #expect(try all[1].request(upon: plain).text == "")
        let touched = ["arch/x86/net/jit.c", "include/linux/b.h", "kernel/bpf/a.c", "kernel/bpf/b.c", "tools/testing/x.c"]
        #expect(
            all[0].targets(touched: touched, .files)
                == ["arch/x86/net/jit.o", "kernel/bpf/a.o", "kernel/bpf/b.o", "net/core/filter.o"])
        #expect(all[0].targets(touched: touched, .directories) == ["arch/x86/net/", "kernel/bpf/", "net/core/filter.o"])
        #expect(all[1].targets(touched: touched, .files) == ["kernel/bpf/a.o", "kernel/bpf/b.o"])
        #expect(all[1].targets(touched: touched, .directories) == ["arch/arm64/net/", "kernel/bpf/"])
    }

    @Test(arguments: ["one", "one: what", "one:\none:", ": CONFIG_A=y"])
    func refuses(_ text: String) {
        #expect(throws: RunnerError.self) { try ReviewConfiguration.parse(text, name: "f") }
    }
}
