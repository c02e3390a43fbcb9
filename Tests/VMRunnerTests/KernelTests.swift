// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Testing

@testable import VMRunner

@Suite struct KernelConfigTests {
    @Test func whatDidNotStickIsNamed() throws {
        let request = try KernelConfig(
            parsing: "# why\nCONFIG_A=y\nCONFIG_B=1\n# CONFIG_C is not set\n\nCONFIG_D=\"x y\"\n# CONFIG_E is not set\n",
            name: "request")
        let result = try KernelConfig(
            parsing: "CONFIG_A=m\nCONFIG_B=1\nCONFIG_C=y\nCONFIG_D=\"x y\"\nCONFIG_Z=y\n", name: "result")
        #expect(
            request.unmet(in: result) == [
                "CONFIG_A: y was asked for, m came out", "CONFIG_C: not set was asked for, y came out",
            ])
        #expect(request.unmet(in: request).isEmpty)
    }

    @Test func aMissingSymbolDidNotStick() throws {
        let request = try KernelConfig(parsing: "CONFIG_A=y\n", name: "request")
        let result = try KernelConfig(parsing: "# CONFIG_A is not set\n", name: "result")
        #expect(request.unmet(in: result) == ["CONFIG_A: y was asked for, not set came out"])
        #expect(request.unmet(in: try KernelConfig(parsing: "", name: "empty")).count == 1)
    }

    @Test(arguments: ["CONFIG_A=y\nCONFIG_A=y\n", "CONFIG_A=y\n# CONFIG_A is not set\n", "A=y\n", "CONFIG_A\n"])
    func refuses(_ text: String) {
        #expect(throws: RunnerError.self) { try KernelConfig(parsing: text, name: "x") }
    }

    @Test func theShippedRequestIsWellFormed() throws {
        let path = SplatRulesTests.installation.kernelConfig
        let request = try KernelConfig(parsing: try Files.text(path), name: path)
        #expect(request.values.count > 80)
        for name in ["debug", "selftests"] {
            let file = SplatRulesTests.installation.kernelConfig(named: name)
            #expect(try KernelConfig(file: file).values.count > 20)
        }
    }

    @Test func theLaterOneIsHeard() throws {
        let first = try KernelConfig(parsing: "CONFIG_A=y\nCONFIG_B=y\n# CONFIG_C is not set\n", name: "first")
        let second = try KernelConfig(parsing: "CONFIG_B=n\nCONFIG_C=2\n", name: "second")
        #expect(first.merging(second).text == "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_C=2\n")
        #expect(first.subtracting(second).text == "CONFIG_A=y\n")
        #expect(try KernelConfig(parsing: first.text, name: "again") == first)
    }
}

@Suite struct KernelVariantTests {
    @Test(arguments: [
        "stock", "patched", "patched@1", "patched@12", "stock+debug", "patched+selftests", "patched@7+debug",
        "patched+selftests+debug",
    ])
    func namesAreReadAsTheyAreWritten(_ name: String) throws {
        #expect(try #require(KernelVariant(name)).description == name)
    }

    @Test(arguments: [
        "", "Stock", "patched@", "patched@0", "patched@-1", "patched@07", "stock@1", "patched+", "patched+plain", "stock+fast",
        "patched+debug+selftests", "+debug",
    ])
    func otherWordsNameNone(_ name: String) {
        #expect(KernelVariant(name) == nil)
    }

    @Test func whatIsBuiltOneAfterTheOtherIsBuiltInOnePlace() throws {
        let lanes = [
            "stock", "patched", "patched@1", "patched@2", "patched+debug", "stock+debug", "patched@2+debug", "stock+selftests",
            "patched+selftests+debug",
        ]
        #expect(
            try lanes.map { try #require(KernelVariant($0)).lane } == [
                "stock", "patched", "part", "part", "patched-debug", "stock-debug", "part-debug", "selftests", "selftests-debug",
            ])
    }

    @Test func aPartOfTheSeriesIsItsStart() throws {
        let installation = SplatRulesTests.installation
        let whole = try PatchSeries.make(.all, installation: installation).paths
        #expect(try PatchSeries.make(.first(2), installation: installation).paths == Array(whole[..<2]))
        #expect(try PatchSeries.make(.none, installation: installation).paths.isEmpty)
        let error = #expect(throws: RunnerError.self) {
            try PatchSeries.make(.first(whole.count + 1), installation: installation)
        }
        #expect(error?.message == "the series has \(whole.count) patches, not \(whole.count + 1)")
    }
}

@Suite struct KernelRequestTests {
    @Test func theDebugKernelIsThePlainOneAndMore() throws {
        let installation = SplatRulesTests.installation
        let plain = try KernelRequest.make(.plain, installation: installation)
        let debug = try KernelRequest.make(.debug, installation: installation)
        #expect(plain.files == [installation.kernelConfig] && plain.start == .nothing)
        #expect(debug.files == [installation.kernelConfig, installation.kernelConfig(named: "debug")])
        let selftests = try KernelRequest.make(.selftests, installation: installation)
        #expect(selftests.files == [installation.kernelConfig(named: "selftests")] && selftests.start == .selftests)
        let both = try KernelRequest.make(.selftestsDebug, installation: installation)
        #expect(both.texts == selftests.texts + [debug.texts[1]] && both.start == .selftests)
    }

    /// A tree whose makefile leaves out one symbol of each request.
    @Test(arguments: [KernelRequest.Start.nothing, .selftests])
    func whatDoesNotComeOutIsToldByWhoseItIs(_ start: KernelRequest.Start) throws {
        let directory = try Files.makeTemporaryDirectory()
        defer { Files.remove(directory) }
        try Files.makeDirectory("\(directory)/tools/testing/selftests/bpf")
        try Files.makeDirectory("\(directory)/objects")
        let theirs = ["config": "CONFIG_T1=y\nCONFIG_BOTH=y\n", "config.vm": "CONFIG_T2=y\n", "config.x86_64": "CONFIG_T2=m\n"]
        for (name, text) in theirs {
            try Files.write(text.utf8, to: "\(directory)/tools/testing/selftests/bpf/\(name)")
        }
        let makefile = """
            allnoconfig: ; grep -v LOST $(KCONFIG_ALLCONFIG) > $(O)/.config
            olddefconfig: ; sed -i -e /LOST/d -e /T1/d $(O)/.config

            """
        try Files.write(makefile.utf8, to: "\(directory)/Makefile")
        let make = Make(source: directory, objects: "\(directory)/objects", log: "\(directory)/log", jobs: 1)
        let request = KernelRequest(
            start: start, files: ["one", "two"], texts: ["CONFIG_A=y\nCONFIG_LOST=y\n", "CONFIG_A=3\n# CONFIG_BOTH is not set\n"])
        let result = try request.configure(make, notes: directory)
        #expect(result.unmet == ["CONFIG_LOST: y was asked for, not set came out"])
        #expect(result.unmetOfTree == (start == .nothing ? [] : ["CONFIG_T1: y was asked for, not set came out"]))
        let outcome = try KernelConfig(file: "\(directory)/objects/.config").text
        let expected = start == .nothing ? "" : "CONFIG_T2=m\n"
        #expect(outcome == "CONFIG_A=3\n# CONFIG_BOTH is not set\n\(expected)")
    }
}

@Suite struct KernelRecipeTests {
    let recipe = KernelRecipe(
        variant: KernelVariant(.all), base: "/b", baseDigest: "d", series: .none, patchDigests: ["1", "2"],
        request: KernelRequest(start: .nothing, files: ["a"], texts: ["CONFIG_A=y\n"]),
        tools: BuildTools(pahole: "pahole", versions: ["gcc 12"]))

    @Test func theIdentityFollowsFromTheContentsAlone() throws {
        var other = recipe
        other.base = "/elsewhere"
        other.request.files = ["b"]
        other.tools.pahole = "/elsewhere/pahole"
        #expect(try other.identity() == recipe.identity())
        #expect(try recipe.identity().utf8.count == 64)
    }

    @Test func everyPartChangesTheIdentity() throws {
        let changes: [(inout KernelRecipe) -> Void] = [
            { $0.baseDigest = "e" }, { $0.patchDigests = ["2", "1"] }, { $0.patchDigests = ["1"] },
            { $0.request.texts = ["CONFIG_A=n\n"] }, { $0.request.texts.append("CONFIG_A=y\n") },
            { $0.request.start = .selftests }, { $0.tools.versions = ["gcc 13"] },
        ]
        var identities: Set<String> = [try recipe.identity()]
        for change in changes {
            var other = recipe
            change(&other)
            identities.insert(try other.identity())
        }
        #expect(identities.count == changes.count + 1)
    }
}

@Suite struct PatchedTreeTests {
    /// A base of two files, and patches for one of them and for a new file.
    final class Toy {
        let directory: String
        init() throws {
            directory = try Files.makeTemporaryDirectory()
            try Files.makeDirectory("\(directory)/base/sub")
            try Files.makeDirectory("\(directory)/patches")
            try Files.makeDirectory("\(directory)/notes")
            try Files.write("one\ntwo\n".utf8, to: "\(directory)/base/sub/a.c")
            try Files.write("left alone\n".utf8, to: "\(directory)/base/b.c")
            try Files.write("Subject: the letter\n".utf8, to: "\(directory)/patches/0000-cover-letter.patch")
            try write("0001-a.patch", "sub/a.c", "@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n")
        }
        deinit { Files.remove(directory) }

        /// Writes a patch that changes a file, or makes it.
        func write(_ name: String, _ file: String, _ hunk: String, isNew: Bool = false) throws {
            let from = isNew ? "new file mode 100644\n--- /dev/null" : "--- a/\(file)"
            let patch = "diff --git a/\(file) b/\(file)\n\(from)\n+++ b/\(file)\n\(hunk)"
            try Files.write(patch.utf8, to: "\(directory)/patches/\(name)")
        }
        func update() throws {
            try PatchedTree(base: "\(directory)/base", tree: "\(directory)/tree", notes: "\(directory)/notes")
                .update(try PatchSeries(directory: "\(directory)/patches"), baseDigest: "d")
        }
        func text(_ path: String) throws -> String { try Files.text("\(directory)/\(path)") }
    }

    @Test func appliesInOrderAndLeavesTheBaseAlone() throws {
        let toy = try Toy()
        try toy.write("0002-a.patch", "sub/a.c", "@@ -1,2 +1,2 @@\n-one\n+ONE\n TWO\n")
        try toy.write("0003-new.patch", "n/new.c", "@@ -0,0 +1 @@\n+new\n", isNew: true)
        try toy.update()
        #expect(try toy.text("tree/sub/a.c") == "ONE\nTWO\n")
        #expect(try toy.text("tree/n/new.c") == "new\n")
        #expect(try toy.text("base/sub/a.c") == "one\ntwo\n")
    }

    @Test func rewritesOnlyWhatChanges() throws {
        let toy = try Toy()
        try toy.update()
        let before = try ["sub/a.c", "b.c"].map { try Files.signature("\(toy.directory)/tree/\($0)") }
        try toy.update()
        #expect(try ["sub/a.c", "b.c"].map { try Files.signature("\(toy.directory)/tree/\($0)") } == before)
    }

    @Test func takesBackWhatTheSeriesNoLongerDoes() throws {
        let toy = try Toy()
        try toy.write("0002-new.patch", "new.c", "@@ -0,0 +1 @@\n+new\n", isNew: true)
        try toy.update()
        Files.remove("\(toy.directory)/patches/0002-new.patch")
        try toy.write("0001-a.patch", "b.c", "@@ -1 +1 @@\n-left alone\n+changed\n")
        try toy.update()
        #expect(try toy.text("tree/sub/a.c") == "one\ntwo\n")
        #expect(try toy.text("tree/b.c") == "changed\n")
        #expect(!Files.exists("\(toy.directory)/tree/new.c"))
    }

    @Test func aPatchThatDoesNotApplyStopsEverything() throws {
        let toy = try Toy()
        try toy.write("0002-bad.patch", "b.c", "@@ -1 +1 @@\n-other\n+changed\n")
        let error = #expect(throws: RunnerError.self) { try toy.update() }
        #expect(error?.message.contains("0002-bad.patch") == true)
        #expect(!Files.exists("\(toy.directory)/tree"))
    }

    @Test func aSeriesWithoutPatchesIsAnError() throws {
        let toy = try Toy()
        Files.remove("\(toy.directory)/patches/0001-a.patch")
        #expect(throws: RunnerError.self) { try PatchSeries(directory: "\(toy.directory)/patches") }
        #expect(throws: RunnerError.self) { try PatchSeries(directory: "/nonexistent") }
    }

    @Test func renamesTouchBothNames() {
        #expect(PatchSeries.touchedFiles(patch: "diff --git a/x/y.c b/z.c\nrename from x/y.c\n") == ["x/y.c", "z.c"])
    }

    @Test("what a patch changes does not hang on the mail around it, nor on files that the build does not read")
    func changesOfAPatch() {
        let first = "Subject: [PATCH 1/2] a\n\nWhy.\n---\n x.c | 1 +\n\ndiff --git a/x.c b/x.c\n+int a;\n"
        let second = "Subject: [PATCH 5/9] a\n\nWhy so.\n---\n x.c | 1 +\n\ndiff --git a/x.c b/x.c\n+int a;\n"
        func changes(_ patch: String, _ unread: [String] = []) -> String { PatchSeries.changes(patch: patch, unread: unread) }
        #expect(changes(first) == "diff --git a/x.c b/x.c\n+int a;\n")
        #expect(changes(first) == changes(second))
        #expect(changes(first) != changes(second + "+int b;\n"))
        let words = "diff --git a/Documentation/x.rst b/Documentation/x.rst\n+Words.\n"
        #expect(changes(first + words) != changes(first))
        #expect(changes(first + words, ["Documentation/"]) + "\n" == changes(first))
        #expect(changes(words, ["Documentation/"]).isEmpty)
        // A file that comes from there is read from now on.
        let moved = "diff --git a/Documentation/x.c b/x.c\nrename from Documentation/x.c\n"
        #expect(changes(moved, ["Documentation/"]) == moved)
    }
}

@Suite struct MakeTests {
    @Test func steps() {
        #expect(Make.step("  CC      kernel/fork.o").map { $0.isCompilation && $0.file == "kernel/fork.o" } == true)
        #expect(Make.step("  AR      built-in.a")?.isCompilation == false)
        #expect(Make.step("kernel/fork.c:1: warning: x") == nil)
        #expect(Make.step("   12 |   int x;") == nil)
    }

    @Test func errorsAreShownWithoutTheStepsAround() {
        let log = """
              CC a.o
              CC b.o
            b.c: In function 'f':
            b.c:3:5: error: 'x' undeclared
                3 | x;
              CC c.o
            make: *** [b.o] Error 1
            """
        let words = Make.errors(log)
        #expect(words.hasPrefix("b.c: In function"))
        #expect(words.contains("'x' undeclared") && words.contains("Error 1") && !words.contains("c.o\n"))
    }
}
