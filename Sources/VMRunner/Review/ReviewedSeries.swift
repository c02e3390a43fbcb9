// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Commits that are judged as one: a patch, or all of the series.
struct Stretch: Equatable, Sendable {
    struct Commit: Equatable, Sendable {
        var id: String
        /// The id of the files' state, which does not depend on messages.
        var tree: String
    }

    /// A file that differs between before and after.
    struct Change: Equatable, Sendable {
        var path: String
        /// Git's ids of the content; nil where there is no such file.
        var before: String?
        var after: String?
    }

    /// The patch's file name without its ending, or words for the whole.
    var name: String
    /// The patch's file; the cover letter's for the whole.
    var file: String
    var before: Commit
    var after: Commit
    /// By path.
    var changes: [Change]
    /// How many patches there are up to here, its own included.
    var count: Int

    /// Whether a kernel may come out otherwise: no file of these directories goes into one.
    var changesKernel: Bool {
        let beside = ["Documentation/", "samples/", "tools/bpf/bpftool/", "tools/testing/"]
        return !changes.allSatisfy { change in beside.contains { change.path.hasPrefix($0) } }
    }
}

/// A series as commits upon its base, in a work tree that belongs to the review.
struct ReviewedSeries: Sendable {
    /// A git work tree that the gates check out as they need.
    let tree: String
    let patches: [Stretch]
    let whole: Stretch

    /// Reads the commits `base..bpflink` of a tree and sets them beside the patches that they were made from.
    /// - Throws: `RunnerError` if they are not as many.
    init(tree: String, series: PatchSeries, cover: String) throws(RunnerError) {
        self.tree = tree
        let git = Git(tree)
        let commits = try git.lines("rev-list", "--reverse", "base..bpflink")
        guard commits.count == series.paths.count, !commits.isEmpty else {
            throw RunnerError("\(tree) has \(commits.count) commits for \(series.paths.count) patches")
        }
        var before = try git.commit("base")
        var patches: [Stretch] = []
        for (index, (id, file)) in zip(commits, series.paths).enumerated() {
            let after = try git.commit(id)
            patches.append(
                Stretch(
                    name: String(LibraryClosure.lastComponent(file).dropLast(".patch".count)), file: file, before: before,
                    after: after, changes: try git.changes(before.id, after.id), count: index + 1))
            before = after
        }
        let base = patches[0].before
        whole = Stretch(
            name: "the whole series", file: cover, before: base, after: before, changes: try git.changes(base.id, before.id),
            count: patches.count)
        self.patches = patches
    }

    /// Has Scripts/kernel-apply bring the review's own tree to the series as it is now.
    static func apply(_ installation: Installation, cache: Cache) throws -> ReviewedSeries {
        let directory = "\(try cache.directory("kernel"))/check"
        let script = "\(installation.root)/Scripts/kernel-apply"
        let output = try Tool.output([script, "--force", directory], showsErrors: true)
        guard let tree = output.split(separator: "\n").last else { throw RunnerError("\(script) said nothing") }
        let patches = try installation.patchDirectory
        return try ReviewedSeries(
            tree: String(tree), series: try PatchSeries(directory: patches), cover: "\(patches)/0000-cover-letter.patch")
    }
}

/// Git without anybody's settings, in one repository.
struct Git: Sendable {
    let directory: String

    init(_ directory: String) { self.directory = directory }

    @discardableResult
    func output(_ arguments: [String]) throws(RunnerError) -> String {
        // The user's settings may change what git prints.
        var environment = ["GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "LC_ALL=C"]
        environment += Environment.passing("PATH", "HOME")
        return try Tool.output(
            ["git", "-C", directory, "-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0"] + arguments, environment: environment)
    }

    func lines(_ arguments: String...) throws(RunnerError) -> [String] {
        try output(arguments).split(separator: "\n").map(String.init)
    }

    func commit(_ name: String) throws(RunnerError) -> Stretch.Commit {
        let ids = try lines("rev-parse", "\(name)^{commit}", "\(name)^{tree}")
        guard ids.count == 2 else { throw RunnerError("\(directory) has no commit \(name)") }
        return .init(id: ids[0], tree: ids[1])
    }

    func changes(_ from: String, _ to: String) throws(RunnerError) -> [Stretch.Change] {
        // ":MODE MODE ID ID STATUS", then the path, each ended by a zero byte (git-diff-tree(1), raw output format).
        let fields = try output(["diff-tree", "-r", "-z", "--no-renames", "--no-abbrev", from, to]).split(separator: "\0")
        return stride(from: 0, to: fields.count - 1, by: 2).map { index in
            let ids = fields[index].split(separator: " ").dropFirst(2).prefix(2).map { $0.allSatisfy { $0 == "0" } ? nil : String($0) }
            return .init(path: String(fields[index + 1]), before: ids[0], after: ids[1])
        }
    }

    /// The content of a file by git's id.
    func content(_ id: String) throws(RunnerError) -> String { try output(["cat-file", "blob", id]) }

    /// Brings the work tree to a commit; files that are the same keep their times.
    func checkOut(_ commit: Stretch.Commit) throws(RunnerError) {
        try output(["checkout", "--quiet", "--force", "--detach", commit.id])
    }
}
