// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import Testing

/// The example of a program that embeds the linker, as it is.
@Suite(.aloneOnTheKernel, .enabled(if: geteuid() == 0, "loading programs takes root")) struct EmbeddingTests {
    @Test func theExampleLoadsAnImporterWithItsLibraryAndRunsIt() throws {
        let run = try Command.run("embedding-example $FIXTURES/subprog.bpf.o $FIXTURES/import_socket.bpf.o")
        #expect(run.errors.isEmpty)
        #expect(run.output.contains("int bpf_subprog_scale(int value, unsigned short factor)  // "))
        #expect(run.output.contains("\nloaded subprog, id ") && run.output.contains("\nloaded filter, id "))
        // 21, doubled by a function of the library.
        #expect(run.output.hasSuffix("\nfilter returned 42\n"))
    }

    @Test func theExampleTellsWhyItFails() throws {
        let run = try Command.run("embedding-example $FIXTURES/plain.bpf.o $FIXTURES/import_socket.bpf.o")
        #expect(run.status == 1)
        #expect(run.errors.hasPrefix("cannot be linked:\nundefined import `bpf_subprog_scale` in "))
        #expect(run.errors.contains("\n  referenced by `twice` "))
        let none = try Command.run("embedding-example /nowhere $FIXTURES/import_socket.bpf.o")
        #expect(none.status == 1 && none.errors == "/nowhere cannot be read: No such file or directory\n")
        let refused = try Command.run("embedding-example $FIXTURES/subprog.bpf.o $FIXTURES/refused.bpf.o")
        #expect(refused.status == 1 && refused.errors.hasPrefix("the verifier refuses `rejected`"))
    }
}
