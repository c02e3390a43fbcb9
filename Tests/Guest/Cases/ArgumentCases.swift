// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// The programs of import_memory and what each returns if the imported function got the memory it was given.
private let results: [String: Int] = [
    "on_stack": 1122, "in_map_value": 1122, "maybe_in_map_value": -1, "in_global_data": 1122, "in_ring_buffer": 1122,
    "null": -1, "nonnull": 403, "void_result": 6, "array": 136, "wide_result": 0x1122_3344, "negative_result": 1,
    "five_arguments": 305_281,
]

/// What goes into an imported function and what comes back.
let argumentCases: [Case] = results.sorted { $0.key < $1.key }.map { program, result in
    Case("arguments.\(program)") {
        let importer = try load("import_memory", from: [try library("memory")])
        try expectEqual(try importer.run(program), UInt32(truncatingIfNeeded: result), "result of \(program)")
    }
}
