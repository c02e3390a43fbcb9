// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import BPFLinker
import BPFObject
import Glibc
import Synchronization
import TestFixtures

/// `bpflink tree`, `list` and `unload` on a graph of two libraries and two importers.
let treeCases: [Case] = [
    Case("tree.who_calls_what", unblinded: true) {
        let ids = try loadGraph()
        defer { try? unloadGraph() }
        try expectEqual(
            try named(stable(try Tool.run("tree")), ids),
            """
            <sub>: socket_filter subprog
            │   pinned at \(pins)/sub
            │   exports int bpf_subprog(int kind, const struct event *event)
            │   exports unsigned long bpf_subprog_total(void)
            │   exports int bpf_subprog_scale(int value, unsigned short factor)
            │   bpf_subprog for xdp: verified # insns in # us, shared code
            │   # bytes kept for importers
            ├── <upper>: socket_filter library_on_libr  calls bpf_subprog, bpf_subprog_scale
            │   │   pinned at \(pins)/upper
            │   │   exports int bpf_subprog_scaled(int kind, const struct event *event, unsigned short factor)
            │   │   # bytes kept for importers
            │   │   runs bpf_subprog at # (# bytes)
            │   │   runs bpf_subprog_scale at # (# bytes)
            │   └── <both>: socket_filter filter  calls bpf_subprog_scaled
            │           pinned at \(pins)/both
            │           runs bpf_subprog_scaled at # (# bytes)
            ├── <frame>: xdp on_frame  calls bpf_subprog
            │       pinned at \(pins)/frame
            │       attached, pinned at \(pins)/frame_link
            │       runs bpf_subprog at # (# bytes)
            └── <direct>: xdp on_frame  calls bpf_subprog
                    pinned at \(pins)/direct
                    runs bpf_subprog at # (# bytes)

            """, "the tree")
    },
    Case("tree.around_one_program") {
        let ids = try loadGraph()
        defer { try? unloadGraph() }
        let text = try named(try Tool.run("tree", "pinned=\(pins)/upper"), ids)
        try expect(text.contains("<sub>: ") && text.contains("<both>: "), "its provider and its importer are not shown: \(text)")
        try expect(!text.contains("<frame>: "), "a program that has nothing to do with it is shown: \(text)")
    },
    Case("tree.for_graphviz", unblinded: true) {
        let ids = try loadGraph()
        defer { try? unloadGraph() }
        let lines = try named(try Tool.run("tree", "--dot"), ids).split(separator: "\n").map(String.init)
        try expectEqual([lines.first, lines.last], ["digraph bpflink {", "}"], "first and last line")
        for edge in [
            "  <upper> -> <sub> [label=\"bpf_subprog\\nbpf_subprog_scale\"];", "  <frame> -> <sub> [label=\"bpf_subprog\"];",
            "  <both> -> <upper> [label=\"bpf_subprog_scaled\"];",
        ] {
            try expect(lines.contains(edge), "no line `\(edge)` among \(lines)")
        }
        try expectEqual(lines.filter { $0.contains(" -> ") }.count, 4, "edges")
    },
    Case("tree.the_same_facts_in_json") {
        let ids = try loadGraph()
        defer { try? unloadGraph() }
        let tree = try named(try Tool.run("tree", "-j"), ids)
        try expectEqual(tree, try named(try Tool.run("list", "-j"), ids), "JSON of list and tree")
        for part in [
            "\"pins\":[\"\(pins)/sub\"]", "\"attachment_pins\":[\"\(pins)/frame_link\"]",
            "{\"name\":\"bpf_subprog_scaled\",\"provider\":{\"id\":<upper>,\"name\":\"library_on_libr\"},\"verify\":\"once\",\"image\":{\"address\":\"0x",
            "\"importers\":[<upper>,<frame>,<direct>]",
        ] {
            try expect(tree.contains(part), "no \(part) in \(tree)")
        }
    },
    Case("tree.environments_in_the_list", unblinded: true) {
        let ids = try loadGraph()
        defer { try? unloadGraph() }
        let list = try named(stable(try Tool.run("list")), ids)
        try expect(
            list.hasPrefix(
                """
                <sub>: socket_filter subprog, tag #
                  exports int bpf_subprog(int kind, const struct event *event)
                  exports unsigned long bpf_subprog_total(void)
                  exports int bpf_subprog_scale(int value, unsigned short factor)
                  bpf_subprog for xdp: verified # insns in # us, shared code
                  # bytes kept for importers
                  pinned at \(pins)/sub

                """), "the list is:\n\(list)")
        try expect(
            list.contains(
                """
                <frame>: xdp on_frame, tag #
                  imports bpf_subprog from id <sub> (subprog), verified for xdp: shared code, at # (# bytes)
                  pinned at \(pins)/frame

                """), "the list is:\n\(list)")
    },
    Case("tree.environments_in_json", unblinded: true) {
        let ids = try loadGraph()
        defer { try? unloadGraph() }
        let tree = try named(
            try Tool.run("tree", "-j").replacing(/"(verified_insns|verification_ns|bytes|exports_bytes)":[0-9]+/) { "\"\($0.output.1)\":#" },
            ids)
        let facts = "\"type\":\"xdp\",\"attach_type\":\"xdp\",\"flags\":[\"gpl\","
        let numbers = "],\"verified_insns\":#,\"verification_ns\":#,\"own_code_bytes\":0,\"bytes\":#}"
        try expect(tree.contains("\"environments\":[{\"function\":\"bpf_subprog\",\(facts)"), "no environment in \(tree)")
        try expectEqual(tree.components(numbers), 3, "environments, of the provider and of two imports, in \(tree)")
        try expectEqual(tree.components("\"environment\":{\(facts)"), 2, "environments of imports in \(tree)")
        try expect(tree.contains("\"exports_bytes\":#"), "no size of exports in \(tree)")
    },
    Case("tree.unload_takes_importers_first_and_names_those_left") {
        let ids = try loadGraph()
        let dry = try named(try Tool.run("unload", "\(pins)/sub", "--dry-run"), ids)
        try expectEqual(
            dry,
            """
            would unpin \(pins)/sub: subprog, id <sub>
              still imported from by id <upper> (socket_filter library_on_libr), pinned at \(pins)/upper
              still imported from by id <frame> (xdp on_frame), pinned at \(pins)/frame, pinned at \(pins)/frame_link
              still imported from by id <direct> (xdp on_frame), pinned at \(pins)/direct

            """, "the dry run")
        try expect(access("\(pins)/sub", F_OK) == 0, "the dry run removed the pin")
        try expectEqual(
            try named(try Tool.run("unload", pins), ids),
            """
            unpinned \(pins)/direct: on_frame, id <direct>
            unpinned \(pins)/frame: on_frame, id <frame>
              detached \(pins)/frame_link
            unpinned \(pins)/both: filter, id <both>
            unpinned \(pins)/upper: library_on_libr, id <upper>
            unpinned \(pins)/sub: subprog, id <sub>

            """, "the order")
        try expect(access(pins, F_OK) != 0, "the directory is left")
        try poll("all are gone") { ids.values.allSatisfy { !programExists($0) } }
        try expectEqual(try Tool.run("tree"), "", "the tree of nothing")
    },
    Case("tree.programs_that_vanish_meanwhile", cpus: 2) {
        let provider = try library("subprog")
        let isReader = Atomic(true)
        try concurrently(2) {
            if isReader.exchange(false, ordering: .relaxed) {
                for _ in 0..<30 {
                    let graph = try ProgramGraph.read(all: true)
                    try expect(graph[provider.info.id] != nil, "the provider is not in the graph")
                }
            } else {
                for _ in 0..<30 { _ = try load("import_xdp", from: [provider]) }
            }
        }
    },
]

private let pins = "/sys/fs/bpf/guest_tests_tree"

/// Two libraries, one on the other, and importers of both; nothing but pins holds them.
///
/// - Returns: ids by pin.
private func loadGraph() throws -> [String: UInt32] {
    var ids: [String: UInt32] = [:]
    func add(_ pin: String, _ fixture: String, from provider: String? = nil, attaching targets: [AttachTarget] = []) throws {
        let providers = try provider.map { [try OpenProgram.open(.pinned("\(pins)/\($0)"))] } ?? []
        var options = LoadOptions()
        options.pin = "\(pins)/\(pin)"
        options.attach = targets
        let object = try Object(bytes: try Fixture.bytes(fixture), name: "\(fixture).bpf.o")
        let snapshots = try providers.map { try $0.providerSnapshot(namedAs: .id($0.info.id)) }
        let loaded = try load(try link(object, libraries: snapshots), from: providers, options: options)
        ids[pin] = loaded.programs[0].info.id
    }
    try add("sub", "subprog")
    try add("upper", "library_on_library", from: "sub")
    try add("both", "import_levels", from: "upper")
    try add("frame", "import_xdp", from: "sub", attaching: [.xdp("lo")])
    try add("direct", "import_xdp", from: "sub")
    return ids
}

private func unloadGraph() throws { _ = try Unloader.unload(pins) }

/// A text without numbers, addresses and tags that no test can know.
private func stable(_ text: String) -> String {
    text.replacing(/[0-9]+(?= (insns|us|bytes))/, with: "#").replacing(/at 0x[0-9a-f]+/, with: "at #")
        .replacing(/tag [0-9a-f]{16}/, with: "tag #")
}

/// A text with names in place of ids.
private func named(_ text: String, _ ids: [String: UInt32]) throws -> String {
    var result = ""
    var digits = ""
    var previous: Character = "\n"
    for character in text + "\0" {
        if character.isNumber, !(previous.isLetter || previous == "_") || !digits.isEmpty {
            digits.append(character)
        } else {
            if !digits.isEmpty { result += ids.first { "\($0.value)" == digits }.map { "<\($0.key)>" } ?? digits }
            digits = ""
            if character != "\0" { result.append(character) }
        }
        previous = character
    }
    return result
}
