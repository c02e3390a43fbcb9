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
        #expect(run.status != 0)
        #expect(run.errors.contains("cannot be linked: ") && run.errors.contains("bpf_subprog_scale"))
    }
}
