// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import ArgumentParser
import BPFKernel

/// `bpflink unload`
public struct UnloadCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "unload", abstract: "Remove the pins that `load --pin` made.",
        discussion: """
            PATH is a pinned program, whose pinned attachments go with it, or a directory that --pin made. The kernel frees \
            a program when nothing refers to it any more: no pin, no descriptor, no attachment, no importer.
            """)

    @Argument(help: "Pins, or directories of pins.")
    var paths: [String]

    @OptionGroup var common: CommonOptions

    public init() {}

    public func run() throws {
        try common.report {
            for path in paths { try Self.requirePath(path) }
            var removed: [Unloaded] = []
            for path in paths {
                removed += try Unloader.unload(Self.pin(path))
            }
            return Report(
                text: removed.flatMap(Self.lines(for:)).joined(separator: "\n"),
                json: .object(["unloaded": .array(removed.map(Self.json(for:)))]))
        }
    }

    /// `pinned=PATH` is a path as well; other selectors name a program without saying which reference to drop.
    private static func requirePath(_ text: String) throws {
        guard let selector = ProgramSelector(text) else { return }
        if case .pinned = selector { return }
        throw Diagnostic(
            code: "not-a-pin", "`\(text)` cannot be unloaded: the kernel takes no program away from those who use it",
            notes: ["a program goes away with its last reference: pins, descriptors, attachments, importers"],
            help: ["`bpflink unload PATH` removes a pin; `bpflink list` shows who imports from whom"])
    }

    private static func pin(_ text: String) -> String {
        if case .pinned(let path)? = ProgramSelector(text) { return path }
        return text
    }

    private static func lines(for removed: Unloaded) -> [String] {
        ["unpinned \(removed.pin): \(removed.name), id \(removed.id)"]
            + removed.linkPins.map { "  detached \($0)" }
            + removed.importers.map { "  still imported from by id \($0.id) (\($0.type) \($0.name))" }
    }

    private static func json(for removed: Unloaded) -> JSONValue {
        .object([
            "pin": .string(removed.pin), "id": .integer(removed.id), "name": .string(removed.name),
            "attachments": .array(removed.linkPins.map(JSONValue.string)),
            "importers": .array(
                removed.importers.map {
                    .object(["id": .integer($0.id), "name": .string($0.name), "type": .string("\($0.type)")])
                }),
        ])
    }
}
