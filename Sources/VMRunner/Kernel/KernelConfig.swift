// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// A kernel configuration: symbols and their values, as in a `.config`.
struct KernelConfig: Equatable, Sendable {
    /// By symbol (`CONFIG_…`): the text after `=`; nil where the symbol is "not set".
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
                value = String(line[line.index(after: equals)...])
            } else {
                throw RunnerError("\(place): '\(line)' is not a line of a kernel configuration")
            }
            guard values[symbol] == nil else { throw RunnerError("\(place): \(symbol) is there twice") }
            values[symbol] = .some(value)
        }
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
