// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import ArgumentParser
import BPFLink

/// `bpflink tree`
public struct TreeCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "tree", _superCommandName: "bpflink", abstract: "Show which loaded programs call functions of which others, or have copies of them.",
        discussion: """
            Below each program are those that import from it, with what they call or have copies of. A program that imports from \
            several is below each of them; what is below it is shown the first time. With REF, only what it imports from and what \
            imports from it, directly or through others, is shown.
            """)

    @Argument(
        help: ArgumentHelp("A program, as for `load --import`: id=N, pinned=PATH, name=NAME, tag=TAG or an FD.", valueName: "ref"),
        transform: ProgramSelector.read)
    var program: ProgramSelector?

    @Flag(help: "Print the graph in the language of Graphviz; arrows point from importers to providers.")
    var dot = false

    @OptionGroup var common: CommonOptions

    public init() {}

    public func validate() throws {
        if dot && (common.json || common.pretty) { throw ValidationError("`--dot` and `--json` are two outputs; choose one.") }
    }

    public func run() throws {
        try common.report {
            var graph = try ProgramGraph.read(all: program != nil)
            if let program {
                let own = try OpenProgram.open(program)
                graph = graph.around(own.info.id)
            }
            let text = dot ? DotReport(graph).text : TreeReport(graph).lines.joined(separator: "\n")
            return Report(text: text, json: .object(["programs": .array(graph.nodes.map(\.json))]))
        }
    }
}

/// The graph as an indented text.
struct TreeReport {
    private(set) var lines: [String] = []
    private let graph: ProgramGraph
    private var shown: Set<UInt32> = []

    init(_ graph: ProgramGraph) {
        self.graph = graph
        for node in graph.roots { add(node, first: "", rest: "", below: nil) }
    }

    /// - Parameters:
    ///   - first: what stands before the program's line.
    ///   - rest: what stands before all lines below.
    ///   - provider: the program that this one is shown below.
    private mutating func add(_ node: ProgramGraph.Node, first: String, rest: String, below provider: UInt32?) {
        let calls = provider.map { "  \(node.uses(of: $0))" } ?? ""
        guard shown.insert(node.info.id).inserted else {
            lines.append("\(first)\(node.title)\(calls)  (shown above)")
            return
        }
        let importers = node.importers.compactMap { graph[$0] }
        lines.append("\(first)\(node.title)\(calls)")
        let bar = importers.isEmpty ? "    " : "│   "
        let orphans = node.copied.filter { $0.providerID == nil }.map(\.words)
        lines += (node.placeLines + node.offerLines + orphans + node.environmentLines + node.imageLines).map { rest + bar + $0 }
        for (index, importer) in importers.enumerated() {
            let isLast = index == importers.count - 1
            add(
                importer, first: rest + (isLast ? "└── " : "├── "), rest: rest + (isLast ? "    " : "│   "), below: node.info.id)
        }
    }
}

/// The graph in the language of Graphviz (its documentation, "DOT Language").
struct DotReport {
    let text: String

    init(_ graph: ProgramGraph) {
        var lines = ["digraph bpflink {", "  rankdir=LR;", "  node [shape=box];"]
        for node in graph.nodes {
            let words = [node.title] + node.pins
                + node.exports.map { "\($0.isCallable ? "exports" : "offers the body of") \($0.name)" }
                + node.copies.map { "offers copies of \($0.name)" } + node.environmentLines + node.imageLines
            lines.append("  \(node.info.id) [label=\(Self.quoted(words))];")
        }
        let ids = Set(graph.nodes.map(\.info.id))
        for node in graph.nodes {
            for provider in node.providers where ids.contains(provider) {
                // Dashed where nothing is called: code was copied.
                let isCall = node.imports.contains { $0.providerID == provider }
                let style = isCall ? "" : ", style=dashed"
                lines.append("  \(node.info.id) -> \(provider) [label=\(Self.quoted(node.functions(from: provider)))\(style)];")
            }
        }
        text = (lines + ["}"]).joined(separator: "\n")
    }

    /// A label of several lines.
    private static func quoted(_ lines: [String]) -> String {
        let escaped = lines.map { line in
            line.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined()
        }
        return "\"\(escaped.joined(separator: "\\n"))\""
    }
}
