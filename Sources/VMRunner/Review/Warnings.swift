// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Warnings of compilers and checkers, without line numbers, which any patch above moves: how often each is given.
struct Warnings: Equatable, Sendable {
    /// By "FILE: text", the file relative to the kernel's tree.
    private(set) var counts: [String: Int] = [:]

    var total: Int { counts.values.reduce(0, +) }

    mutating func add(file: String, text: String, count: Int = 1) { counts["\(file): \(text)", default: 0] += count }

    /// What is given more often than before, as lines for people.
    func news(since before: Warnings) -> [String] {
        counts.sorted { $0.key < $1.key }.compactMap { warning, count in
            let known = before.counts[warning] ?? 0
            guard count > known else { return nil }
            return known == 0 && count == 1 ? warning : "\(warning) (\(known) → \(count) times)"
        }
    }

    /// What holds after a build that compiled only some files: theirs are as the build gave them, those in headers, which the
    /// same compilation may or may not have come by, are added to the known ones.
    /// - Parameter compiled: the source files that were compiled, relative to the kernel's tree.
    func updated(with observed: Warnings, compiled: Set<String>) -> Warnings {
        var result = Warnings()
        result.counts = counts.filter { !compiled.contains(Warnings.file(of: $0.key)) }
        for (warning, count) in observed.counts {
            // A header's are given once for every file that includes it.
            result.counts[warning] = compiled.contains(Warnings.file(of: warning)) ? count : 1
        }
        return result
    }

    private static func file(of warning: String) -> String { String(warning.prefix { $0 != ":" }) }
}

/// What a run of the kernel's own build printed, sorted by who said it.
struct BuildWords: Equatable, Sendable {
    /// The compiler's warnings: those that name an option, `[-W…]`.
    var compiler = Warnings()
    /// Those of the checker that `C=1` runs beside the compiler, its errors among them (sparse's exit status is 0 for both).
    var checker = Warnings()
    /// The source files that were compiled.
    var compiled: Set<String> = []

    /// - Parameters:
    ///   - log: all that make printed.
    ///   - source: the kernel's tree, by which file names begin that are not relative.
    init(parsing log: String, source: String) {
        for line in log.split(separator: "\n") {
            if let step = Make.step(String(line)), step.isCompilation, step.file.hasSuffix(".o") {
                compiled.insert("\(step.file.dropLast(2)).c")
                continue
            }
            guard let (file, severity, text) = BuildWords.message(line, source: source) else { continue }
            if let option = text.firstRange(of: " [-W"), text[option.upperBound...].hasSuffix("]") {
                if severity == "warning" { compiler.add(file: file, text: text) }
            } else {
                checker.add(file: file, text: severity == "warning" ? text : "\(severity): \(text)")
            }
        }
    }

    /// Reads "FILE:LINE[:COLUMN]: warning|error: TEXT".
    private static func message(_ line: Substring, source: String) -> (file: String, severity: String, text: String)? {
        for severity in ["warning", "error"] {
            guard let mark = line.firstRange(of: ": \(severity): ") else { continue }
            let place = line[..<mark.lowerBound].split(separator: ":")
            guard (2...3).contains(place.count), place.dropFirst().allSatisfy({ Int($0) != nil }) else { continue }
            var file = String(place[0])
            if file.hasPrefix("\(source)/") { file.removeFirst(source.utf8.count + 1) }
            while file.hasPrefix("../") { file.removeFirst(3) }
            if file.hasPrefix("./") { file.removeFirst(2) }
            return (file, severity, String(line[mark.upperBound...]))
        }
        return nil
    }
}
