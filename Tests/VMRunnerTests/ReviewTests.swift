// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Synchronization
import Testing
import VMProtocol

@testable import VMRunner

/// A git tree with a base and a series upon it, each patch of which adds a line to a file; and a Makefile that speaks like the
/// kernel's: a line per compiled file, gcc's warnings, and those of a checker if it is asked for.
final class ToySeries: Sendable {
    let directory: String
    let series: ReviewedSeries

    /// - Parameters:
    ///   - patches: what each patch appends to the file.
    ///   - file: `sub/a.c`, or that of the program among the tree's tools.
    init(_ patches: [String], file: String = "sub/a.c") throws {
        directory = try Files.makeTemporaryDirectory()
        let tree = "\(directory)/tree"
        try Files.makeDirectory("\(tree)/sub")
        try Files.write(ToySeries.makefile.utf8, to: "\(tree)/Makefile")
        try Files.write("".utf8, to: "\(tree)/sub/Makefile")
        let tool = "\(tree)/tools/bpf/bpftool"
        try Files.makeDirectory(tool)
        try Files.write("$(OUTPUT)main.o: main.c\n\tgcc -Wall -c -o $@ main.c\n".utf8, to: "\(tool)/Makefile")
        for source in ["\(tree)/sub/a.c", "\(tool)/main.c"] {
            try Files.write("int base(void);\nint base(void) { return 1; }\n".utf8, to: source)
        }
        let git = Git(tree)
        for arguments in [["init", "-q", "-b", "base"], ["add", "."]] { try git.output(arguments) }
        let commit = ["-c", "user.name=x", "-c", "user.email=x@x", "commit", "-q", "-a", "-m"]
        try git.output(commit + ["base"])
        try git.output(["checkout", "-q", "-b", "bpflink"])
        for (index, words) in patches.enumerated() {
            try Files.write(Array("\(try Files.text("\(tree)/\(file)"))\(words)\n".utf8), to: "\(tree)/\(file)")
            try git.output(commit + ["patch \(index + 1)"])
        }
        try Files.makeDirectory("\(directory)/patches")
        try git.output(["format-patch", "-q", "--no-signature", "-o", "\(directory)/patches", "base"])
        series = try ReviewedSeries(
            tree: tree, series: try PatchSeries(directory: "\(directory)/patches"), cover: "\(directory)/patches/0000-c.patch")
    }

    deinit { Files.remove(directory) }

    private static let makefile = """
        allnoconfig: ; cp $(KCONFIG_ALLCONFIG) $(O)/.config
        sub/ sub/a.o: $(O)/a.o
        $(O)/a.o: sub/a.c
        \t@echo "  CC      sub/a.o"
        \t@gcc -Wall -Wextra -c -o $@ $(CURDIR)/sub/a.c
        \t@$(CHECK) $(if $(CHECK),$(CURDIR)/sub/a.c)

        """

    func lane(
        checker: String? = nil, named name: String = "plain", _ extent: ReviewConfiguration.Extent = .directories
    ) throws -> BuildLane {
        BuildLane(
            name: name, directory: directory, configuration: ReviewConfiguration(name: name), extent: extent,
            request: "CONFIG_A=y\n", checker: checker, jobs: 1)
    }
}

@Suite struct ReviewTests {
    /// A gate that finds what it is told to, and counts how often it is asked.
    final class FakeGate: Gate {
        let name: String
        let scope: GateScope
        let isQuick = true
        let finding: @Sendable (Stretch) throws -> Judgement
        let condition: Result<String, RunnerError>
        private let asked = Mutex(0)

        init(
            _ name: String, _ scope: GateScope = .everyPatch, condition: Result<String, RunnerError> = .success("1"),
            _ finding: @escaping @Sendable (Stretch) throws -> Judgement
        ) {
            (self.name, self.scope, self.condition, self.finding) = (name, scope, condition, finding)
        }

        var count: Int { asked.withLock { $0 } }
        func conditions(_ series: ReviewedSeries) throws -> [String] { [try condition.get()] }
        func judge(_ stretch: Stretch, of series: ReviewedSeries) throws -> Judgement {
            asked.withLock { $0 += 1 }
            return try finding(stretch)
        }
    }

    static func review(_ toy: ToySeries, _ gates: [any Gate]) throws -> Review {
        let store = "\(toy.directory)/verdicts"
        try Files.makeDirectory(store)
        return Review(series: toy.series, gates: gates, store: VerdictStore(directory: store), note: { _ in })
    }

    @Test func theSeriesIsReadFromItsTree() throws {
        let toy = try ToySeries(["/* one */", "/* two */"])
        #expect(toy.series.patches.map(\.name) == ["0001-patch-1", "0002-patch-2"])
        #expect(toy.series.patches[0].after == toy.series.patches[1].before)
        #expect(toy.series.whole.before == toy.series.patches[0].before && toy.series.whole.after == toy.series.patches[1].after)
        #expect(toy.series.patches.map { $0.changes.map(\.path) } == [["sub/a.c"], ["sub/a.c"]])
        #expect(toy.series.patches[0].changes[0].after == toy.series.patches[1].changes[0].before)
        #expect(throws: RunnerError.self) {
            try ReviewedSeries(tree: toy.series.tree, series: .none, cover: "")
        }
    }

    @Test(arguments: [
        (["Documentation/bpf/index.rst", "tools/testing/selftests/bpf/a.c"], false), (["tools/bpf/bpftool/main.c"], false),
        (["tools/lib/bpf/libbpf.c"], true), (["Documentation/a.rst", "kernel/bpf/core.c"], true),
    ])
    func onlyFilesOfTheKernelChangeIt(_ paths: [String], _ changes: Bool) throws {
        var stretch = try ToySeries(["/* one */"]).series.patches[0]
        stretch.changes = paths.map { .init(path: $0, before: "1", after: "2") }
        #expect(stretch.changesKernel == changes)
    }

    @Test func theTableHasEveryVerdict() throws {
        let toy = try ToySeries(["/* one */", "/* two */"])
        let gates = [
            FakeGate("good") { _ in Judgement(remark: "3 → 3") },
            FakeGate("picky") { Judgement(faults: $0.count == 2 ? ["a \"fault\"", "and another"] : []) },
            FakeGate("absent", condition: .failure(RunnerError("no tool", help: "get it"))) { _ in Judgement() },
            FakeGate("last", .wholeSeries) { Judgement(remark: "\($0.count) patches") },
        ]
        let table = try Self.review(toy, gates).table()
        #expect(
            table.text == """
                patch         good       picky   absent
                0001-patch-1  ok, 3 → 3  ok      CANNOT RUN
                0002-patch-2  ok, 3 → 3  FAILED  CANNOT RUN

                the whole series
                  last            ok, 2 patches

                7 verdicts: 4 passed, 3 failed
                """)
        #expect(table.counts == (7, 3))
        let json = try JSON(parsing: Array(table.json.utf8))
        let second = try #require(json["patches"]?.arrayValue?.last)
        #expect(second["name"] == "0002-patch-2" && second["commit"] == .string(toy.series.whole.after.id))
        let verdicts = try #require(second["gates"]?.arrayValue)
        #expect(verdicts.map { $0["verdict"] } == ["passed", "failed", "cannot run"])
        #expect(verdicts[1]["words"] == ["a \"fault\"", "and another"])
        #expect(verdicts[2]["words"] == ["no tool", "help: get it"])
        #expect(json["series"]?["gates"]?.arrayValue?.first?["remark"] == "2 patches")
        #expect(json["passed"] == 4 && json["failed"] == 3)
    }

    @Test func whatPassedIsKeptAndWhatFailedIsTriedAgain() throws {
        let toy = try ToySeries(["/* one */", "/* two */"])
        let gate = FakeGate("g") { Judgement(faults: $0.count == 2 ? ["no"] : [], remark: "seen") }
        let review = try Self.review(toy, [gate])
        _ = review.table()
        let again = review.table()
        #expect(gate.count == 3)
        #expect(again.patches[0].verdicts[0].verdict.isKept && again.patches[0].verdicts[0].verdict.remark == "seen")
        #expect(!again.patches[1].verdicts[0].verdict.isKept)
    }

    @Test func aVerdictHoldsForItsContentAndConditions() throws {
        let gate = FakeGate("g") { _ in Judgement() }
        let (one, other) = (try ToySeries(["/* one */", "/* two */"]), try ToySeries(["/* one */", "/* 2 */"]))
        func key(_ toy: ToySeries, _ index: Int, _ conditions: [String] = ["gcc 12"]) throws -> String {
            try VerdictStore.key(gate, toy.series.patches[index], conditions: conditions)
        }
        #expect(try key(one, 0) == key(other, 0))
        #expect(try key(one, 1) != key(other, 1))
        #expect(try key(one, 0) != key(one, 0, ["gcc 13"]))
        #expect(
            try key(one, 0) != VerdictStore.key(FakeGate("h") { _ in Judgement() }, one.series.patches[0], conditions: ["gcc 12"]))
    }

    @Test func aGateThatFailsToRunIsNotAPass() throws {
        let toy = try ToySeries(["/* one */"])
        let gate = FakeGate("g") { _ in throw RunnerError("the tree is broken") }
        let table = try Self.review(toy, [gate]).table()
        #expect(table.patches[0].verdicts[0].verdict == Verdict(.cannotRun, words: ["the tree is broken"]))
        #expect(table.counts == (1, 1))
    }

    @Test(arguments: [
        ([], false, ["quick", "slow", "arm64"]), ([], true, ["quick"]), (["slow"], false, ["slow"]),
        (["configurations"], false, ["arm64"]), (["arm64", "quick"], false, ["quick", "arm64"]),
    ])
    func gatesAreChosenByName(_ chosen: [String], _ isQuick: Bool, _ names: [String]) throws {
        let toy = try ToySeries(["/* one */"])
        let lane = try toy.lane()
        let gates: [any Gate] = [
            FakeGate("quick") { _ in Judgement() }, BuildGate(name: "slow", voices: [], lane: lane),
            BuildGate(name: "arm64", scope: .wholeSeries, voices: [], lane: lane),
        ]
        var review = SeriesReview()
        (review.chosen, review.isQuick) = (chosen, isQuick)
        #expect(try review.select(gates).map(\.name) == names)
        review.chosen = ["another"]
        let error = #expect(throws: RunnerError.self) { try review.select(gates) }
        #expect(error?.description == "there is no gate 'another'\nhelp: gates: quick slow arm64 configurations")
    }
}
