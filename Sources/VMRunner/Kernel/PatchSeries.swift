// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import SystemPackage

/// The patches for a kernel, in their order.
struct PatchSeries: Sendable {
    var paths: [String]

    static let none = PatchSeries(paths: [])

    private init(paths: [String]) { self.paths = paths }

    /// What of the series a kernel has.
    /// - Throws: `RunnerError` if there is no series, or not as much of it.
    static func make(_ patches: KernelVariant.Patches, installation: Installation) throws(RunnerError) -> PatchSeries {
        if patches == .none { return .none }
        let whole = try PatchSeries(directory: try installation.patchDirectory)
        guard case .first(let count) = patches else { return whole }
        guard count <= whole.paths.count else {
            throw RunnerError("the series has \(whole.paths.count) patches, not \(count)")
        }
        return PatchSeries(paths: Array(whole.paths.prefix(count)))
    }

    /// The numbered patches of a directory, without the cover letter.
    /// - Throws: `RunnerError` if there are none.
    init(directory: String) throws(RunnerError) {
        let names = Files.isDirectory(directory) ? try Files.list(directory) : []
        paths = names.filter { $0.hasPrefix("0") && $0.hasSuffix(".patch") && !$0.hasPrefix("0000-") }
            .map { "\(directory)/\($0)" }
        guard !paths.isEmpty else {
            throw RunnerError(
                "there are no patches (0001-….patch, …) in \(directory)",
                help: "put the series there, or build the unpatched kernel with --stock")
        }
    }

    /// The files that the patches change, add or remove, relative to the kernel's tree.
    func touchedFiles() throws(RunnerError) -> [String] {
        var touched: Set<String> = []
        for path in paths { touched.formUnion(PatchSeries.touchedFiles(patch: try Files.text(path))) }
        return touched.sorted()
    }

    /// What a patch changes that a build can see: without the mail around it, its number and its words, and without
    /// files in directories that the build does not read. Empty if that leaves nothing.
    /// - Parameter unread: directories, with a slash at the end.
    static func changes(patch: String, unread: [String]) -> String {
        var isRead = false
        var lines: [Substring] = []
        for line in patch.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("diff --git ") {
                isRead = !touchedFiles(patch: String(line)).allSatisfy { file in unread.contains { file.hasPrefix($0) } }
            }
            if isRead { lines.append(line) }
        }
        return lines.joined(separator: "\n")
    }

    /// From the lines "diff --git a/OLD b/NEW".
    static func touchedFiles(patch: String) -> Set<String> {
        var touched: Set<String> = []
        for line in patch.split(separator: "\n") where line.hasPrefix("diff --git a/") {
            let names = line.dropFirst("diff --git a/".count)
            guard let separator = names.firstRange(of: " b/") else { continue }
            touched.insert(String(names[..<separator.lowerBound]))
            touched.insert(String(names[separator.upperBound...]))
        }
        return touched
    }
}

/// A kernel tree with a series applied, kept from build to build: only files whose content changes are written, so
/// that make rebuilds no more than it must.
struct PatchedTree {
    /// The unpatched tree; never written to.
    let base: String
    /// The tree to keep.
    let tree: String
    /// Holds what is to be remembered about the tree.
    let notes: String

    /// Brings the tree to `base` with the series applied.
    /// - Parameter baseDigest: identifies the content of `base`.
    func update(_ series: PatchSeries, baseDigest: String) throws {
        let touched = try series.touchedFiles()
        let applied = try Files.makeTemporaryDirectory()
        defer { Files.remove(applied) }
        try apply(series, to: touched, in: applied)

        let baseNote = "\(notes)/base"
        let touchedNote = "\(notes)/touched"
        if (try? Files.text(baseNote)) != baseDigest || !Files.isDirectory(tree) {
            try makeTree()
            try Files.write("".utf8, to: touchedNote)
            try Files.write(baseDigest.utf8, to: baseNote)
        }
        let before = try Files.text(touchedNote).split(separator: "\n").map(String.init)
        // Noted before the files are changed: an update that is broken off is repaired by the next.
        let all = Set(before).union(touched).sorted()
        try Files.write(all.joined(separator: "\n").utf8, to: touchedNote)
        for file in all {
            let source = touched.contains(file) ? "\(applied)/\(file)" : "\(base)/\(file)"
            try bring("\(tree)/\(file)", to: source)
        }
        try Files.write(touched.joined(separator: "\n").utf8, to: touchedNote)
    }

    /// Applies the series to copies of just the files that it touches.
    private func apply(_ series: PatchSeries, to files: [String], in directory: String) throws {
        for file in files where Files.exists("\(base)/\(file)") {
            let copy = "\(directory)/\(file)"
            try Files.makeDirectory(String(copy[..<copy.lastIndex(of: "/")!]))
            _ = try Tool.output(["cp", "--preserve=mode", "--", "\(base)/\(file)", copy])
        }
        // Without a ceiling git would take a repository above for the tree to patch.
        var environment = ["GIT_CEILING_DIRECTORIES=\(directory[..<directory.lastIndex(of: "/")!])", "LC_ALL=C"]
        environment += Environment.passing("PATH", "HOME")
        for patch in series.paths {
            do {
                _ = try Tool.output(
                    ["git", "apply", "--whitespace=nowarn", "--", try Files.resolve(patch)], directory: directory,
                    environment: environment)
            } catch {
                throw RunnerError("\(patch) does not apply to \(base)\n\(error)")
            }
        }
    }

    /// A copy of the base made of hard links where that is possible: files are replaced here, never written into.
    private func makeTree() throws {
        let unfinished = "\(tree).\(getpid()).new"
        Files.remove(unfinished)
        defer { Files.remove(unfinished) }
        do {
            _ = try Tool.output(["cp", "-a", "--link", "--", base, unfinished])
        } catch {
            Files.remove(unfinished)
            _ = try Tool.output(["cp", "-a", "--", base, unfinished])
        }
        Files.remove("\(unfinished)/.git")
        Files.remove(tree)
        try Files.rename(unfinished, to: tree)
    }

    private func bring(_ file: String, to source: String) throws(RunnerError) {
        guard let status = Files.status(source) else { return Files.remove(file) }
        let content = try Files.read(source)
        if let present = Files.status(file), present.st_mode == status.st_mode, try Files.read(file) == content { return }
        try Files.makeDirectory(String(file[..<file.lastIndex(of: "/")!]))
        Files.remove(file)
        try Files.write(content, to: file, permissions: .init(rawValue: status.st_mode & 0o777))
    }
}
