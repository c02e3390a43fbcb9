// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import ArgumentParser
import BPFLink

/// `bpflink unload`
public struct UnloadCommand: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "unload", _superCommandName: "bpflink", abstract: "Remove the pins that `load --pin` made.",
        discussion: """
            PATH is a pinned program, whose pinned attachments go with it, an attachment or a map of functions alone, or a \
            directory that --pin made; directories in it stay unless they are PATHs, too. Attachments go first, then programs, \
            importers before their providers, whatever the order of PATHs. The kernel frees a program when nothing refers to it \
            any more: no pin, no descriptor, no attachment, no importer; what still does is told. Maps that libbpf pinned by their \
            names are for others to find, and stay without --maps; with it, PATH may be the pin of a map.
            """)

    @Argument(help: "Pins, or directories of pins.", completion: .file())
    var paths: [String]

    @Flag(help: "Remove the pins of maps, too, that no other program uses.")
    var maps = false

    @Flag(name: [.customLong("dry-run")], help: "Print what would be removed; remove nothing.")
    var dryRun = false

    @OptionGroup var common: CommonOptions

    public init() {}

    public func run() throws {
        try common.report {
            for path in paths { try Self.requirePath(path) }
            let plan = try Unloader.plan(paths.map(Self.pin), maps: maps)
            if !dryRun { try plan.run() }
            var report = Report(text: lines(for: plan).joined(separator: "\n"), json: json(for: plan))
            if !dryRun { report.change = "this was done:" }
            return report
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

    private func lines(for plan: Unloader.Plan) -> [String] {
        var lines = plan.structOps.map { "\(detached) \($0)" } + plan.links.flatMap(lines(for:))
        for program in plan.programs {
            lines.append("\(unpinned) \(program.pin): \(program.name), id \(program.id)")
            lines += program.linkPins.map { "  \(detached) \($0)" }
            lines += program.importers.map { "  still imported from by \(Self.words(for: $0))" }
            lines += program.mapHolders.map { "  its maps are still held, for copies, by \(Self.words(for: $0))" }
            lines += program.otherPins.map { "  still pinned at \($0)" }
            lines += program.processes.map { "  still \($0.words)" }
            lines += Set(program.mapPins).subtracting(plan.maps).sorted().map {
                "  its map stays pinned at \($0)\(Self.users(ofMapAt: $0, plan))"
            }
        }
        return lines + plan.maps.map { "\(unpinned) the map \($0)" }
            + plan.keptMaps.map { "\(left) the map \($0)\(Self.users(ofMapAt: $0, plan))" }
            + plan.left.map { "\(left) \($0): a directory of its own" }
    }

    private var detached: String { dryRun ? "would detach" : "detached" }
    private var unpinned: String { dryRun ? "would unpin" : "unpinned" }
    private var left: String { dryRun ? "would leave" : "left" }

    private func lines(for link: UnloadedLink) -> [String] {
        ["\(detached) \(link.pin): attachment \(link.id)" + (link.program == 0 ? "" : " of program \(link.program)")]
            + link.otherPins.map { "  still pinned at \($0)" } + link.processes.map { "  still \($0.words)" }
    }

    /// Of a pin that stays: which programs, apart from those that are unpinned, use the map.
    private static func users(ofMapAt pin: String, _ plan: Unloader.Plan) -> String {
        (plan.mapUsers[pin] ?? []).map { ", used by \(words(for: $0))" }.joined()
    }

    private static func words(for importer: Unloaded.Importer) -> String {
        let places = importer.pins.map { "pinned at \($0)" } + importer.processes.map(\.words)
        return "id \(importer.id) (\(importer.type) \(importer.name))"
            + (places.isEmpty ? "" : ", \(places.joined(separator: ", "))")
    }

    private func json(for plan: Unloader.Plan) -> JSONValue {
        .object([
            dryRun ? "would_unload" : "unloaded": .array(plan.programs.map(Self.json(for:))),
            "attachments": plan.links.isEmpty ? nil : .array(plan.links.map(Self.json(for:))),
            "struct_ops": .strings(plan.structOps), "maps": .strings(plan.maps),
            "map_users": plan.mapUsers.isEmpty ? nil : .array(Self.json(forUsers: plan.mapUsers)),
            "left": .strings(plan.keptMaps + plan.left),
        ])
    }

    private static func json(for link: UnloadedLink) -> JSONValue {
        .object([
            "pin": .string(link.pin), "id": .integer(link.id), "program": link.program == 0 ? nil : .integer(link.program),
            "other_pins": .strings(link.otherPins), "processes": .array(link.processes.map(\.json)),
        ])
    }

    private static func json(forUsers users: [String: [Unloaded.Importer]]) -> [JSONValue] {
        users.sorted { $0.key < $1.key }.map { pin, users in
            .object(["pin": .string(pin), "users": .array(users.map(json(for:)))])
        }
    }

    private static func json(for importer: Unloaded.Importer) -> JSONValue {
        .object([
            "id": .integer(importer.id), "name": .string(importer.name), "type": .string("\(importer.type)"),
            "pins": .strings(importer.pins), "processes": .array(importer.processes.map(\.json)),
        ])
    }

    private static func json(for removed: Unloaded) -> JSONValue {
        .object([
            "pin": .string(removed.pin), "id": .integer(removed.id), "name": .string(removed.name),
            "attachments": .array(removed.linkPins.map(JSONValue.string)),
            "importers": .array(removed.importers.map(Self.json(for:))),
            "map_holders": removed.mapHolders.isEmpty ? nil : .array(removed.mapHolders.map(Self.json(for:))),
            "other_pins": .strings(removed.otherPins), "map_pins": .strings(removed.mapPins),
            "processes": .array(removed.processes.map(\.json)),
        ])
    }
}
