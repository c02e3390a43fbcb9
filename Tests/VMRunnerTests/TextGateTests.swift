// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import SystemPackage
import Testing

@testable import VMRunner

@Suite struct TextGateTests {
    /// Puts a script in place of one of the kernel's.
    func tool(_ path: String, _ text: String, _ toy: ToySeries) throws {
        try Files.makeDirectory("\(toy.series.tree)/scripts")
        try Files.write(text.utf8, to: "\(toy.series.tree)/\(path)", permissions: .init(rawValue: 0o755))
    }

    func verdict(_ gate: any Gate, _ toy: ToySeries) throws -> Verdict {
        try ReviewTests.review(toy, [gate]).table().patches[0].verdicts[0].verdict
    }

    @Test(arguments: [
        ("exit 0", Verdict.Outcome.passed, []),
        ("echo WARNING:LONG_LINE: too long; exit 1", .failed, ["WARNING:LONG_LINE: too long"]),
        // Words and status do not belong together: something was left out.
        ("echo no python >&2; exit 0", .cannotRun, ["checkpatch.pl did not check everything: no python"]),
        ("echo no perl >&2; exit 1", .cannotRun, ["checkpatch.pl failed: no perl"]),
    ])
    func checkpatch(_ script: String, _ outcome: Verdict.Outcome, _ words: [String]) throws {
        let toy = try ToySeries(["/* one */"])
        try tool("scripts/checkpatch.pl", "#!/bin/sh\n\(script)\n", toy)
        let found = try verdict(CheckpatchGate(), toy)
        #expect(found.outcome == outcome && found.words == words)
    }

    @Test func withoutItsScriptAGateCannotRun() throws {
        let toy = try ToySeries(["/* one */"])
        let found = [try verdict(CheckpatchGate(), toy), try verdict(KernelDocGate(), toy)]
        #expect(found.map(\.outcome) == [.cannotRun, .cannotRun])
        #expect(found[0].words == ["\(toy.series.tree) has no scripts/checkpatch.pl"])
    }

    @Test func newWordsAreJudgedByBothLists() throws {
        // The first is in codespell's own list, the second in the kernel's alone.
        let toy = try ToySeries(["/* recieve the foobaz */"])
        try tool("scripts/spelling.txt", "# words\nfoobaz||foobar\n", toy)
        let found = try verdict(SpellingGate(), toy)
        #expect(found.outcome == .failed)
        #expect(found.words.map { $0.drop { $0 != " " } } == [" recieve ==> receive", " foobaz ==> foobar"])
        #expect(found.words.allSatisfy { $0.hasPrefix("0001-patch-1.patch:") })
        let clean = try ToySeries(["/* receive */"])
        try tool("scripts/spelling.txt", "foobaz||foobar\n", clean)
        #expect(try verdict(SpellingGate(), clean).outcome == .passed)
    }

    @Test func wordsThatAreOnlyMovedAreNotNew() {
        let patch = "Subject: x\n\ntext\n---\n a | 2\n\ndiff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-old\n+new\n same\n"
        let (new, old) = SpellingGate.words(inPatch: patch)
        #expect(new.split(separator: "\n") == ["Subject: x", "text", " b/a", "new"])
        #expect(old.split(separator: "\n").last == "old")
        // Line numbers are those of the patch.
        #expect(new.split(separator: "\n", omittingEmptySubsequences: false)[11] == "new")
    }

    @Test func kernelDocCountsWhatIsNew() throws {
        let warnings = KernelDocGate.parse(
            "Warning: a.c:5 function parameter 'b' not described in 'foo'\nWarning: a.c:9 No description found\nother words\n")
        #expect(
            warnings.news(since: Warnings()) == ["a.c: No description found", "a.c: function parameter 'b' not described in 'foo'"])
        // It says of every file how many lines that has.
        let toy = try ToySeries(["/* one */"])
        try tool(
            "scripts/kernel-doc",
            "import sys\nfor f in sys.argv[3:]: print('Warning: %s:1 %d lines' % (f, len(open(f).readlines())), file=sys.stderr)\n", toy)
        let found = try verdict(KernelDocGate(), toy)
        #expect(found.outcome == .failed && found.words == ["sub/a.c: 3 lines"] && found.remark == "1 → 1")
    }
}
