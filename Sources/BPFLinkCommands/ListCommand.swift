// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import ArgumentParser
import BPFLink

/// `bpflink list`
public struct ListCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "list", _superCommandName: "bpflink", abstract: "Show the loaded programs that export or import functions, or have copies of them.")

    @Flag(help: "Show all other programs, too.")
    var all = false

    @OptionGroup var common: CommonOptions

    public init() {}

    public func run() throws {
        try common.report {
            let graph = try ProgramGraph.read(all: all)
            var lines: [String] = []
            for node in graph.nodes {
                lines.append("\(node.title), tag \(node.info.tag)")
                lines += (node.offerLines + node.imports.map { "imports \($0.words)" } + node.copied.map(\.words)).map { "  \($0)" }
                lines += (node.environmentLines + node.placeLines).map { "  \($0)" }
            }
            return Report(text: lines.joined(separator: "\n"), json: .object(["programs": .array(graph.nodes.map(\.json))]))
        }
    }
}
