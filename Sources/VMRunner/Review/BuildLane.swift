// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import VMProtocol

/// What compiling a state of the tree gave, as far as it was looked at.
struct BuildRecord: Equatable, Sendable {
    var compiler: Warnings
    var checker: Warnings
}

/// One object directory in which the states of a series are built one after another, each on what is left of the one before:
/// make compiles what a patch changes and what depends on it. What the compilers say is kept for every state.
struct BuildLane: Sendable {
    let name: String
    /// Where records and objects are kept.
    let directory: String
    let configuration: ReviewConfiguration
    let extent: ReviewConfiguration.Extent
    /// The configuration that is asked for, as text for KCONFIG_ALLCONFIG.
    let request: String
    /// The checker's command for `C=1`; nil for none.
    let checker: String?
    let jobs: Int?

    private var objects: String { "\(directory)/objects-\(name)" }
    private var log: String { "\(directory)/\(name).log" }

    /// What builds of this lane depend on, besides the files.
    /// - Throws: `RunnerError` if the compiler is missing.
    func conditions() throws(RunnerError) -> [String] {
        let compiler = "\(configuration.crossPrefix)gcc"
        return ["build 2", configuration.description, extent.rawValue, request, try Tool.version(compiler), checker ?? "no checker"]
    }

    /// What is said of the files before and after a stretch.
    enum Comparison: Equatable {
        case both(before: BuildRecord, after: BuildRecord)
        /// It builds before, but not after; with make's words.
        case broken(String)
    }

    /// - Throws: `RunnerError` if it does not build before the stretch either.
    func compare(_ stretch: Stretch, of series: ReviewedSeries) throws -> Comparison {
        let kept = try Digest.of((try conditions() + targets(series)).joined(separator: "\n")).prefix(16)
        func place(_ commit: Stretch.Commit) -> String { "\(directory)/\(name)-\(commit.tree)-\(kept).warnings" }

        let before: BuildRecord
        if let known = BuildRecord(file: place(stretch.before)) {
            before = known
        } else {
            // Everything is compiled, for what is not cannot warn.
            try forget(targets(series))
            before = try build(stretch.before, changed: [], upon: nil, of: series)
            try before.write(to: place(stretch.before))
        }
        if let known = BuildRecord(file: place(stretch.after)) { return .both(before: before, after: known) }
        guard stretch.changesKernel else {
            try before.write(to: place(stretch.after))
            return .both(before: before, after: before)
        }
        let changed = stretch.changes.filter { $0.after != nil }.map(\.path)
        do {
            let after = try build(stretch.after, changed: changed, upon: before, of: series)
            try after.write(to: place(stretch.after))
            return .both(before: before, after: after)
        } catch let failure as RunnerError {
            return .broken("\(failure)")
        }
    }

    private func build(
        _ commit: Stretch.Commit, changed: [String], upon before: BuildRecord?, of series: ReviewedSeries
    ) throws -> BuildRecord {
        try Git(series.tree).checkOut(commit)
        // Compiled even if an earlier run did that: the verdict is in the compilers' words.
        if !changed.isEmpty { _ = try Tool.output(["touch", "-c", "--"] + changed, directory: series.tree) }
        Files.remove(log)
        let make = Make(
            source: series.tree, objects: objects, log: log, jobs: jobs, variables: configuration.variables)
        if !Files.exists("\(objects)/.config") { try configure(make) }
        let targets = targets(series).filter { target in
            Files.exists("\(series.tree)/\(target.hasSuffix("/") ? "\(target)Makefile" : "\(target.dropLast(2)).c")")
        }
        // W=1 would also have comments read, file by file; that is another gate's.
        var variables = ["W=1", "KERNELDOC=/dev/null"]
        if let checker { variables += ["C=1", "CHECK=\(checker)"] }
        try make.run(targets, variables: variables, progress: { _ in })
        let words = BuildWords(parsing: try Files.text(log), source: series.tree)
        let none = BuildRecord(compiler: Warnings(), checker: Warnings())
        return BuildRecord(
            compiler: (before ?? none).compiler.updated(with: words.compiler, compiled: words.compiled),
            checker: (before ?? none).checker.updated(with: words.checker, compiled: words.compiled))
    }

    private func configure(_ make: Make) throws {
        try Files.makeDirectory(objects)
        let file = "\(objects).request"
        try Files.write(request.utf8, to: file)
        try make.run([configuration.start], variables: ["KCONFIG_ALLCONFIG=\(file)"], progress: { _ in })
        let result = try KernelConfig(file: "\(objects)/.config")
        let unmet = try configuration.wanted().unmet(in: result)
        guard unmet.isEmpty else {
            Files.remove("\(objects)/.config")
            throw RunnerError("the configuration \(configuration.name) did not come out:\n" + unmet.joined(separator: "\n"))
        }
    }

    private func targets(_ series: ReviewedSeries) -> [String] {
        configuration.targets(touched: series.whole.changes.map(\.path), extent)
    }

    /// Removes what was compiled of targets, and leaves the build's own programs and headers.
    private func forget(_ targets: [String]) throws(RunnerError) {
        for target in targets where Files.exists("\(objects)/\(target)") {
            _ = try Tool.output(["find", "\(objects)/\(target)", "-name", "*.o", "-delete"])
        }
    }
}

extension BuildRecord {
    /// Lines "c|s COUNT FILE: TEXT".
    fileprivate init?(file: String) {
        guard let text = try? Files.text(file) else { return nil }
        (compiler, checker) = (Warnings(), Warnings())
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ", maxSplits: 2)
            guard fields.count == 3, let count = Int(fields[1]), let colon = fields[2].firstRange(of: ": ") else { return nil }
            let (file, text) = (String(fields[2][..<colon.lowerBound]), String(fields[2][colon.upperBound...]))
            switch fields[0] {
            case "c": compiler.add(file: file, text: text, count: count)
            case "s": checker.add(file: file, text: text, count: count)
            default: return nil
            }
        }
    }

    fileprivate func write(to file: String) throws(RunnerError) {
        let lines = [("c", compiler), ("s", checker)].flatMap { who, warnings in
            warnings.counts.sorted { $0.key < $1.key }.map { "\(who) \($0.value) \($0.key)\n" }
        }
        try Files.write(lines.joined().utf8, to: file)
    }
}
