// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// A configuration of the kernel that patches are compiled in: a line of KernelPatches/configurations.
struct ReviewConfiguration: Equatable, Sendable {
    var name: String
    /// make's target that the configuration begins with: allnoconfig, with VMImages/kernel.config upon it, or allmodconfig.
    var start = "allnoconfig"
    /// make's variables, `ARCH` first.
    var variables = ["ARCH=x86_64"]
    /// Symbols with their values, as asked for: `CONFIG_X=y`.
    var symbols: [String] = []
    /// What else is compiled besides the directories that are touched.
    var also: [String] = []

    /// Reads the lines `NAME: WORD…` of a file; `#` begins a comment. A word is one of
    /// `allmodconfig`, a symbol (`CONFIG_X=y`), a variable for make (`ARCH=arm64`), or a target (`net/core/filter.o`).
    /// - Throws: `RunnerError` with the line.
    static func parse(_ text: String, name file: String) throws(RunnerError) -> [ReviewConfiguration] {
        var all: [ReviewConfiguration] = []
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(separator: " ").map(String.init)
            guard let first = words.first else { continue }
            let place = "\(file):\(index + 1)"
            guard first.hasSuffix(":"), first.utf8.count > 1 else {
                throw RunnerError("\(place): a line begins with a name and a colon, not with '\(first)'")
            }
            var configuration = ReviewConfiguration(name: String(first.dropLast()))
            guard !all.contains(where: { $0.name == configuration.name }) else {
                throw RunnerError("\(place): \(configuration.name) is there twice")
            }
            for word in words.dropFirst() { try configuration.take(word, place: place) }
            all.append(configuration)
        }
        return all
    }

    private mutating func take(_ word: String, place: String) throws(RunnerError) {
        let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
        if word == "allmodconfig" {
            start = word
        } else if parts.count == 2, word.hasPrefix("CONFIG_") {
            symbols.append(word)
        } else if parts.count == 2, parts[0].allSatisfy({ $0.isUppercase || $0 == "_" }) {
            variables.removeAll { $0.hasPrefix("\(parts[0])=") }
            variables.append(word)
        } else if word.hasSuffix(".o") || word.hasSuffix("/") {
            also.append(word)
        } else {
            throw RunnerError("\(place): '\(word)' is neither a symbol, a variable, a target nor allmodconfig")
        }
    }

    var description: String {
        ([name, start] + variables + symbols + also).joined(separator: " ")
    }

    private func variable(_ name: String) -> String? {
        variables.first { $0.hasPrefix("\(name)=") }.map { String($0.dropFirst(name.utf8.count + 1)) }
    }

    /// What the names of the compiler and its companions begin with.
    var crossPrefix: String { variable("CROSS_COMPILE") ?? "" }

    /// The directory below arch/.
    var sourceArchitecture: String {
        let name = variable("ARCH") ?? ""
        return name == "x86_64" ? "x86" : name
    }

    /// How much is compiled.
    enum Extent: String, Sendable {
        /// The files that are touched: for every patch.
        case files
        /// All of their directories, for what else includes the touched headers: for the whole series.
        case directories
    }

    /// What make is to build for the source files among the touched ones that are part of the kernel, and what else is asked
    /// for. For the directory of another architecture that is the same directory of this one.
    func targets(touched: [String], _ extent: Extent) -> [String] {
        let elsewhere = ["Documentation", "samples", "scripts", "tools", "usr"]
        let sources = touched.compactMap { path -> String? in
            var parts = path.split(separator: "/").map(String.init)
            guard path.hasSuffix(".c"), parts.count > 1, !elsewhere.contains(parts[0]) else { return nil }
            if extent == .directories {
                if parts[0] == "arch", parts.count > 2 { parts[1] = sourceArchitecture }
                return parts.dropLast().joined(separator: "/") + "/"
            }
            return parts[0] == "arch" && parts[1] != sourceArchitecture ? nil : "\(path.dropLast(2)).o"
        }
        return Set(sources + also).sorted()
    }

    /// The symbols alone.
    func wanted() throws(RunnerError) -> KernelConfig {
        try KernelConfig(parsing: symbols.joined(separator: "\n"), name: name)
    }

    /// What the configuration is made from: the symbols, over a plain kernel's if it begins with nothing.
    func request(upon plain: KernelConfig) throws(RunnerError) -> KernelConfig {
        start == "allnoconfig" ? plain.merging(try wanted()) : try wanted()
    }
}
