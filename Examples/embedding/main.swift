// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

// A program that embeds the linker: it shows what a library offers, loads it together with a program that imports from it, and
// runs that program once. Everything goes away with the process.
//
//   embedding-example LIBRARY IMPORTER

import BPFLink
import CLibbpf
import Glibc

/// Runs a program on a packet of zeros (`BPF_PROG_TEST_RUN`).
func testRun(_ program: LoadedProgram) -> UInt32? {
    var packet = [UInt8](repeating: 0, count: 64)
    var options = bpf_test_run_opts()
    withUnsafeMutableBytes(of: &options) { _ = $0.initializeMemory(as: UInt8.self, repeating: 0) }
    options.sz = MemoryLayout<bpf_test_run_opts>.size
    options.data_size_in = UInt32(packet.count)
    options.repeat = 1
    return packet.withUnsafeMutableBytes { packet in
        options.data_in = UnsafeRawPointer(packet.baseAddress)
        return bpf_prog_test_run_opts(program.descriptor, &options) == 0 ? options.retval : nil
    }
}

func show(_ library: Object) {
    let inspector = FunctionInspector(library)
    for (index, function) in library.functions.enumerated() where function.role == .exported {
        let facts = inspector.facts(of: index)
        let prototype = library.exports.first { $0.function == function }.map { "\($0.prototype)" } ?? function.name
        print("\(prototype)  // \(facts.stack) bytes of stack, \(facts.helpers.map(Helper.name))")
    }
}

/// Says why nothing goes on, and ends.
func fail(_ words: String) -> Never {
    var line = words + "\n"
    line.withUTF8 { _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
    exit(1)
}

func read(_ path: String) -> Object {
    do {
        return try Object(file: path)
    } catch {
        fail("\(path) cannot be read: \(error)")
    }
}

guard CommandLine.arguments.count == 3 else { fail("usage: embedding-example LIBRARY IMPORTER") }
do {
    let library = read(CommandLine.arguments[1])
    let importer = read(CommandLine.arguments[2])
    show(library)

    // Objects may import from each other: the linker finds the order in which they are loaded.
    let loaded = try LoadRequest([importer, library]).plan().load()
    for program in loaded.flatMap(\.programs) {
        print("loaded \(program.name), id \(program.info.id)")
        if !program.isSynthetic, let result = testRun(program) { print("\(program.name) returned \(result)") }
    }
    withExtendedLifetime(loaded) {}
} catch let errors as GraphErrors {
    fail("cannot be linked:\n\(errors)")
} catch {
    // What the kernel refuses, and all else, has words of its own.
    fail("\(error)")
}
