// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// A kernel configuration: symbols and their values, as in a `.config`.
struct KernelConfig: Equatable, Sendable {
    /// By symbol (`CONFIG_…`): the text after `=`; nil where the symbol is "not set", or `n`.
    private(set) var values: [String: String?] = [:]

    /// Reads lines `CONFIG_X=value` and `# CONFIG_X is not set`; other comments and blank lines are passed over.
    /// - Throws: `RunnerError` for any other line, and for a symbol that is there twice.
    init(parsing text: String, name: String) throws(RunnerError) {
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let place = "\(name):\(index + 1)"
            let symbol: String
            let value: String?
            if line.hasPrefix("# CONFIG_"), line.hasSuffix(" is not set") {
                symbol = String(line.dropFirst(2).prefix { $0 != " " })
                value = nil
            } else if line.isEmpty || line.hasPrefix("#") {
                continue
            } else if line.hasPrefix("CONFIG_"), let equals = line.firstIndex(of: "=") {
                symbol = String(line[..<equals])
                let text = line[line.index(after: equals)...]
                value = text == "n" ? nil : String(text)
            } else {
                throw RunnerError("\(place): '\(line)' is not a line of a kernel configuration")
            }
            guard values[symbol] == nil else { throw RunnerError("\(place): \(symbol) is there twice") }
            values[symbol] = .some(value)
        }
    }

    /// Reads a file. See `init(parsing:name:)`.
    init(file: String) throws(RunnerError) { try self.init(parsing: try Files.text(file), name: file) }

    /// This configuration with another over it: where both speak of a symbol, the other is heard.
    func merging(_ other: KernelConfig) -> KernelConfig {
        var merged = self
        merged.values.merge(other.values) { $1 }
        return merged
    }

    /// What of this configuration another does not speak of.
    func subtracting(_ other: KernelConfig) -> KernelConfig {
        var rest = self
        rest.values = values.filter { other.values[$0.key] == nil }
        return rest
    }

    /// As a file, in the order of the symbols.
    var text: String {
        values.sorted { $0.key < $1.key }.map { symbol, value in
            value.map { "\(symbol)=\($0)\n" } ?? "# \(symbol) is not set\n"
        }.joined()
    }

    /// What of this request did not come out in a final configuration, in words; a symbol that is not there at all
    /// is not set.
    func unmet(in result: KernelConfig) -> [String] {
        var words: [String] = []
        for (symbol, value) in values.sorted(by: { $0.key < $1.key }) {
            let actual = result.values[symbol] ?? nil
            if actual != value {
                words.append("\(symbol): \(value ?? "not set") was asked for, \(actual ?? "not set") came out")
            }
        }
        return words
    }
}
