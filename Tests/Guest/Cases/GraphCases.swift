// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import BPFLinker
import BPFObject
import Glibc
import TestFixtures

/// Several objects in one load, by calls and by copies.
let graphCases: [Case] = [
    Case("graph.libraries_on_libraries") {
        let loaded = try loadGraph(["import_levels", "library_on_library", "subprog", "import_xdp"])
        try expectEqual(loaded.map { $0.plan.object.name.prefix { $0 != "." } }, ["subprog", "library_on_library", "import_levels", "import_xdp"], "order")
        try expectEqual(try loaded[2].run(), 15, "first result through two libraries")
        try expectEqual(try loaded[2].run(), 30, "second result")
        try expectEqual(try loaded[3].run(), 2, "XDP_PASS")
        try withExtendedLifetime(loaded) {
            try expectEqual(try element(Kind.packet, ofMap: try loaded[0].map("counts")), 10 + 4, "counted in the one map")
        }
    },
    Case("graph.on_what_was_loaded_before") {
        let provider = try library("subprog")
        let loaded = try loadGraph(["import_levels", "library_on_library"], from: provider)
        try expectEqual(try loaded[1].run(), 15, "result")
        try withExtendedLifetime(provider) {
            try expectEqual(try element(Kind.packet, ofMap: try provider.map("counts")), 5, "counted in the map of the provider")
        }
    },
    Case("graph.exports_of_programs") {
        let loaded = try loadGraph(["import_twice", "import_socket", "subprog"], offersExports: true)
        try expectEqual(try loaded[2].run(), 100, "twice(50), of a program that imports itself")
    },
    Case("graph.a_step_that_fails_undoes_all") {
        let before = Census.take()
        let pin = "/sys/fs/bpf/guest_tests_graph"
        var options = LoadOptions()
        options.pin = pin
        try expectRefusal("invalid mem access 'map_value_or_null'") { _ = try loadGraph(["subprog", "import_socket", "refused"], options: options) }
        try expect(access(pin, F_OK) != 0, "a pin is left")
        try poll("everything is undone") { Census.take() == before }
        // The last pin has a name that the file system of pins does not take.
        options.pin = "/sys/fs/bpf/guest.tests/graph"
        do {
            _ = try loadGraph(["subprog", "import_xdp"], options: options)
            throw Failure("it was pinned")
        } catch let error as KernelError { try expectEqual(error.code, .pin, "code of the error") }
        try poll("everything is undone") { Census.take() == before }
    },
    Case("graph.attached_together") {
        var options = LoadOptions()
        options.attach = [.section, .cgroup(try cgroupRoot())]
        let loaded = try loadGraph(["import_kprobe", "import_cgroup", "subprog"], options: options)
        try withExtendedLifetime(loaded) {
            try renameTask()
            try sendToLoopback()
            let counts = try loaded[0].map("counts")
            try expectEqual(try element(Kind.kprobe, ofMap: counts), 1, "weight from the kprobe")
            try expectEqual(try element(Kind.packet, ofMap: counts), 3, "weight from the datagram")
        }
    },
]

/// Links fixtures to each other, and loads them.
func loadGraph(
    _ fixtures: [String], from provider: Provider? = nil, offersExports: Bool = false, options: LoadOptions = LoadOptions()
) throws -> [LoadedObject] {
    let members = try fixtures.map { name in
        GraphMember(try Object(bytes: try Fixture.bytes(name), name: "\(name).bpf.o"), offersExports: offersExports)
    }
    let graph = try link(members, libraries: try provider.map { [try $0.snapshot()] } ?? [], options: Mode.options())
    var options = options
    options.exports = offersExports
    return try Loader.load(graph, providers: provider.map { [$0.program] } ?? [], options: options)
}
