// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import BPFLinker
import BPFObject
import CLibbpf
import Glibc
import TestFixtures

/// Cases that are about calls by FD and name themselves: programs made by hand, images, what only the patched kernel does.
let ofKernelModeOnly: Set<String> = [
    "calls.own_export_is_also_an_import", "calls.blinded", "calls.registers_that_the_callee_uses_too",
    "calls.immediates_that_are_numbers_of_helpers",
]

/// The cases of calls again, on copies: the same objects, the same events, the same results and contents of maps. They are for
/// any kernel.
let copyCases: [Case] =
    copyOnlyCases
    + (callCases + selectorCases + argumentCases + graphCases).filter { !ofKernelModeOnly.contains($0.name) }.map { original in
        Case("copy.\(original.name)", cpus: original.cpus) {
            try Mode.$current.withValue(.copy) { try original.body() }
        }
    }

/// What only copies can do, or only copies have to get right.
private let copyOnlyCases: [Case] = [
    Case("copy.everything_that_code_refers_to") {
        let provider = try carried("rich")
        let importer = try copied("import_rich", from: [provider])
        try expectRichResults(of: importer, from: provider)
    },
    Case("copy.the_maps_are_the_providers_own") {
        let provider = try carried("rich")
        let importer = try copied("import_rich", from: [provider])
        let own = Set(importer.maps.map(\.id))
        for program in importer.programs {
            let foreign = Set(program.info.mapIDs).subtracting(own)
            try expect(foreign.isSubset(of: provider.info.mapIDs), "\(program.name) uses maps of nobody: \(foreign)")
        }
        let counts: Set = [try provider.map("counts"), try importer.map("counts")]
        try expect(counts.isSubset(of: try importer.program("hash_map").info.mapIDs), "one of the two maps of one name is not used")
    },
    Case("copy.maps_outlive_the_provider") {
        var provider: Provider? = try carried("subprog")
        let id = try require(provider, "provider").info.id
        let counts = try require(provider, "provider").map("counts")
        let importer = try copied("import_socket", from: [try require(provider, "provider")])
        provider = nil
        try poll("the provider is gone") { !programExists(id) }
        try expectEqual(try importer.run(), 42, "twice(21)")
        try expectEqual(try element(Kind.packet, ofMap: counts), 2, "weight counted in two calls")
    },
    Case("copy.library_of_a_library_that_is_gone") {
        let upper: Provider
        let counts: UInt32
        do {
            let lower = try carried("subprog")
            counts = try lower.map("counts")
            upper = try carried("library_on_library", from: [lower])
        }
        let importer = try copied("import_levels", from: [upper])
        try expectEqual(try importer.run(), 15, "result through both copies")
        try expectEqual(try element(Kind.packet, ofMap: counts), 5, "counted two levels below")
    },
    Case("copy.one_copy_however_many_calls", unblinded: true) {
        let importer = try copied("import_socket", from: [try carried("subprog")])
        let names = try readFile("/proc/kallsyms").split(separator: "\n").filter { $0.hasSuffix("_clamp\t[bpf]") }
        // `clamp` is below both functions that are imported.
        try withExtendedLifetime(importer) { try expectEqual(names.count, 1, "copies of a function below two imports") }
    },
    Case("copy.a_global_function_is_verified_once") {
        let importer = try copied("import_called_back", from: [try carried("called_back")])
        try expectEqual(try importer.run("once"), 10, "the sum of the numbers below 5, by a callback")
        try expectEqual(try importer.run("often"), 20, "six sums")
        let (once, often) = (try importer.program("once").info, try importer.program("often").info)
        let more = Int(often.verifiedInstructions) - Int(once.verifiedInstructions)
        // Three instructions more for each of five calls, or the function and its callback for each.
        try expect(more <= 25, "five calls more took \(more) verified instructions")
    },
    Case("copy.what_is_not_valid_by_itself_is_verified_as_it_is_called") {
        try expectEqual(try copied("import_unchecked", from: [try carried("unchecked")]).run(), 42, "twice the first value")
    },
    Case("copy.what_is_refused_leaves_nothing") {
        let provider = try carried("broken_library")
        let before = Census.take()
        try expectRefusal("invalid mem access 'scalar'") { _ = try copied("import_broken", from: [provider]) }
        try poll("everything is undone") { Census.take() == before }
    },
]

/// What the programs of import_rich return when they are run for the first and the second time.
private let richResults: [String: (first: UInt32, second: UInt32)] = [
    "hash_map": (11, 22), "data": (1_073_178, 1_076_198), "callback": (10, 10), "over": (1, 2), "kernel": (1111, 1111),
    "inner": (3, 6), "words": (56, 56), "length": (64, 64), "maybe": (2, 2),
]

/// Runs the programs of import_rich, and looks at what their functions left in the maps.
func expectRichResults(of importer: LoadedObject, from provider: Provider) throws {
    let first = try richResults.keys.sorted().map { "\($0): \(try importer.run($0))" }
    try expectEqual(first, richResults.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value.first)" }, "first results")
    let second = try richResults.keys.sorted().map { "\($0): \(try importer.run($0))" }
    try expectEqual(second, richResults.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value.second)" }, "second results")
    // The callback of the provider's code counted in the provider's data, the function of the same name in the importer's.
    try expectEqual(try element(ofMap: try provider.map("rich.bss")), 2 + 10 + 2 + 10, "zeroed of the provider")
    try expectEqual(try element(ofMap: try importer.map("import_r.bss")), 2, "zeroed of the importer")
    try expectEqual(try element(5, ofMap: try provider.map("counts")), 2, "counts of the provider")
}

/// A fixture loaded to be copied from.
private func carried(_ fixture: String, from providers: [Provider] = []) throws -> Provider {
    try Mode.$current.withValue(.copy) { try library(fixture, from: providers) }
}

/// A fixture with copies of what it imports.
private func copied(_ fixture: String, from providers: [Provider]) throws -> LoadedObject {
    try Mode.$current.withValue(.copy) { try load(fixture, from: providers) }
}
