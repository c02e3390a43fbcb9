// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Tools that come with Debian's python3 or perl, whatever else is in PATH.
private func debianEnvironment() -> [String] {
    ["PATH=/usr/bin:\(Environment["PATH"] ?? "/bin")", "LC_ALL=C.UTF-8", "PYTHONDONTWRITEBYTECODE=1"]
        + Environment.passing("HOME", "TMPDIR")
}

/// A script of the kernel's tree, as an argument; its content decides verdicts.
private func script(_ path: String, _ series: ReviewedSeries) throws(RunnerError) -> String {
    let file = "\(series.tree)/\(path)"
    guard Files.exists(file) else { throw RunnerError("\(series.tree) has no \(path)") }
    return file
}

/// The kernel's own style checker finds nothing, not even with --strict
/// ("Style-check your changes", Documentation/process/submitting-patches.rst).
struct CheckpatchGate: Gate {
    let name = "checkpatch"
    let scope = GateScope.everyPatch
    let isQuick = true

    /// What is not asked of a patch here.
    static let ignored = [
        "MISSING_SIGN_OFF", "NO_AUTHOR_SIGN_OFF",  // whoever submits adds it: Scripts/kernel-export --signoff
        "FILE_PATH_CHANGES",  // new files lie in directories that MAINTAINERS lists whole
        "BIT_MACRO",  // not for uapi headers: checkpatch knows of include/uapi, but not of its mirror below tools
    ]

    func conditions(_ series: ReviewedSeries) throws -> [String] {
        ["1"] + Self.ignored + [series.whole.before.tree, try Tool.version("perl", help: "apt-get install perl")]
    }

    func content(of stretch: Stretch) -> [String] { [(try? Files.text(stretch.file)) ?? ""] }

    func judge(_ stretch: Stretch, of series: ReviewedSeries) throws -> Judgement {
        let result = try Tool.run(
            [
                try script("scripts/checkpatch.pl", series), "--strict", "--quiet", "--no-summary", "--show-types",
                "--ignore", Self.ignored.joined(separator: ","), "--", try Files.resolve(stretch.file),
            ], directory: series.tree, environment: debianEnvironment())
        let said = (result.output + result.errors).split(separator: "\n").map(String.init)
        switch result.end {
        case .exited(0) where said.isEmpty: return Judgement()
        // A note on standard error with status 0 is a part of the check that was left out, such as that of licenses.
        case .exited(0) where result.output.isEmpty, .signalled:
            throw RunnerError("checkpatch.pl did not check everything: " + said.joined(separator: "\n"))
        case .exited(1) where result.output.isEmpty:
            throw RunnerError("checkpatch.pl failed: " + said.joined(separator: "\n"))
        default: return Judgement(faults: said)
        }
    }
}

/// codespell knows none of the new words of a patch, in its message and in its files, as misspelt; its own list and the
/// kernel's scripts/spelling.txt count ("check your spelling", Documentation/process/4.Coding.rst and checkpatch --codespell).
struct SpellingGate: Gate {
    let name = "spelling"
    let scope = GateScope.everyPatch
    let isQuick = true

    func conditions(_ series: ReviewedSeries) throws -> [String] {
        let version = try Tool.version("codespell", help: "apt-get install codespell")
        return ["1", version, try Digest.of(try Files.text(script("scripts/spelling.txt", series)))]
    }

    func content(of stretch: Stretch) -> [String] { [(try? Files.text(stretch.file)) ?? ""] }

    func judge(_ stretch: Stretch, of series: ReviewedSeries) throws -> Judgement {
        let directory = try Files.makeTemporaryDirectory()
        defer { Files.remove(directory) }
        // "word||correction" there, "word->correction" here.
        let list = try Files.text(script("scripts/spelling.txt", series)).split(separator: "\n")
            .filter { !$0.hasPrefix("#") }.compactMap { line -> String? in
                guard let mark = line.firstRange(of: "||") else { return nil }
                return "\(line[..<mark.lowerBound])->\(line[mark.upperBound...])\n"
            }
        guard !list.isEmpty else { throw RunnerError("scripts/spelling.txt has no words") }
        try Files.write(list.joined().utf8, to: "\(directory)/kernel")
        let (new, old) = SpellingGate.words(inPatch: try Files.text(stretch.file))
        func misspelt(_ text: String) throws -> [String] {
            try Files.write(text.utf8, to: "\(directory)/text")
            let result = try Tool.run(
                ["codespell", "--dictionary=-", "--dictionary=kernel", "text"], directory: directory,
                environment: debianEnvironment())
            // 65 (EX_DATAERR): something was found.
            guard [.exited(0), .exited(65)].contains(result.end) else {
                throw RunnerError("codespell failed (\(Tool.describe(result.end)))\n\(result.errors)")
            }
            return result.output.split(separator: "\n").map { String($0.dropFirst("./".count)) }
        }
        func word(_ line: String) -> Substring { line.drop { $0 != " " } }
        let known = Set(try misspelt(old).map(word))
        // "text:LINE: WORD ==> CORRECTION", and the lines of the text are those of the patch.
        let faults = try misspelt(new).filter { !known.contains(word($0)) }.map { line in
            "\(LibraryClosure.lastComponent(stretch.file)):\(line.drop { $0 != ":" }.dropFirst())"
        }
        return Judgement(faults: faults)
    }

    /// The message and added lines of a patch, and its removed lines; line numbers stay the patch's.
    static func words(inPatch patch: String) -> (new: String, old: String) {
        var (new, old) = ("", "")
        var isMessage = true
        for line in patch.split(separator: "\n", omittingEmptySubsequences: false) {
            if line == "---" || line.hasPrefix("diff --git ") { isMessage = false }
            if isMessage || line.hasPrefix("+") { new += line.drop { $0 == "+" } }
            if !isMessage && line.hasPrefix("-") { old += line.drop { $0 == "-" } }
            new += "\n"
            old += "\n"
        }
        return (new, old)
    }
}

/// Comments for the documentation, `/** … */`, say of each symbol what scripts/kernel-doc asks of them, with all its warnings
/// ("kernel-doc", Documentation/doc-guide/kernel-doc.rst): none that was not there before.
struct KernelDocGate: Gate {
    let name = "kernel-doc"
    let scope = GateScope.everyPatch
    let isQuick = true

    func conditions(_ series: ReviewedSeries) throws -> [String] {
        ["1", try Tool.version("/usr/bin/python3", help: "apt-get install python3"), series.whole.before.tree]
    }

    func content(of stretch: Stretch) -> [String] {
        KernelDocGate.files(stretch).map { "\($0.path) \($0.before ?? "-") \($0.after ?? "-")" }
    }

    private static func files(_ stretch: Stretch) -> [Stretch.Change] {
        stretch.changes.filter { ($0.path.hasSuffix(".c") || $0.path.hasSuffix(".h")) && $0.after != nil }
    }

    func judge(_ stretch: Stretch, of series: ReviewedSeries) throws -> Judgement {
        let files = KernelDocGate.files(stretch)
        guard !files.isEmpty else { return Judgement(remark: "nothing to read") }
        let before = try warnings(files.compactMap { file in file.before.map { (file.path, $0) } }, series)
        let after = try warnings(files.compactMap { file in file.after.map { (file.path, $0) } }, series)
        return Judgement(faults: after.news(since: before), remark: "\(before.total) → \(after.total)")
    }

    private func warnings(_ files: [(path: String, blob: String)], _ series: ReviewedSeries) throws -> Warnings {
        guard !files.isEmpty else { return Warnings() }
        let directory = try Files.makeTemporaryDirectory()
        defer { Files.remove(directory) }
        for file in files {
            let copy = "\(directory)/\(file.path)"
            try Files.makeDirectory(String(copy[..<copy.lastIndex(of: "/")!]))
            try Files.write(try Git(series.tree).content(file.blob).utf8, to: copy)
        }
        let result = try Tool.run(
            ["/usr/bin/python3", try script("scripts/kernel-doc", series), "-none", "-Wall"] + files.map(\.path),
            directory: directory, environment: debianEnvironment())
        let warnings = KernelDocGate.parse(result.errors + result.output)
        guard result.end == .exited(0) || warnings.total > 0 else {
            throw RunnerError("kernel-doc failed (\(Tool.describe(result.end)))\n\(result.errors)")
        }
        return warnings
    }

    /// From lines "Warning: FILE:LINE TEXT".
    static func parse(_ output: String) -> Warnings {
        var warnings = Warnings()
        for line in output.split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 2)
            guard words.count == 3, ["warning:", "error:"].contains(words[0].lowercased()) else { continue }
            warnings.add(file: String(words[1].prefix { $0 != ":" }), text: String(words[2]))
        }
        return warnings
    }
}
