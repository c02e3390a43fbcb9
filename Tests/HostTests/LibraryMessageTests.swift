// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import Testing

/// What the libraries underneath say belongs to an error; nothing of it is printed by them.
@Suite(.aloneOnTheKernel) struct LibraryMessageTests {
    /// libbpf knows no `max_entriez`, and would say so on stderr.
    private let damaged =
        "LC_ALL=C sed 's/max_entries/max_entriez/g' $FIXTURES/attachable.bpf.o >$scratch/damaged.bpf.o"

    @Test(.enabled(if: geteuid() == 0, "loading programs takes root"))
    func libbpfsWordsAreDetailsOfTheError() throws {
        let words = "map 'hits': unknown field 'max_entriez'."
        let brief = try inScratch("\(damaged); bpflink load $scratch/damaged.bpf.o")
        #expect(brief.status == 1 && brief.output.isEmpty)
        #expect(brief.errors.hasPrefix("error: "))
        #expect(!brief.errors.contains("\nlibbpf: "))
        let json = try inScratch("\(damaged); bpflink load --json $scratch/damaged.bpf.o")
        #expect(json.status == 1 && json.errors.isEmpty)
        #expect(json.output.hasPrefix(#"{"error":{"code":"load","#))
        #expect(json.output.contains(#""libbpf_log":["#) && json.output.contains(words))
        let whole = try inScratch("\(damaged); bpflink load --debug $scratch/damaged.bpf.o")
        #expect(whole.errors.contains(words))
        #expect(!whole.errors.hasPrefix("libbpf: "))
    }

    @Test func libbpfsWriterOfTypesPrintsNothing() throws {
        // It would warn of a type that holds itself; what it is given has none.
        let run = try inScratch("bpflink header $FIXTURES/types.bpf.o >$scratch/types.h")
        #expect(run.status == 0 && run.errors.isEmpty)
    }

    @Test func libelfsWordsAreTheCause() throws {
        // The version in the identification (e_ident[EI_VERSION]), which libelf looks at.
        let run = try inScratch(
            """
            cp $FIXTURES/plain.bpf.o $scratch/damaged.bpf.o
            printf '\\005' | dd of=$scratch/damaged.bpf.o bs=1 seek=6 conv=notrunc status=none
            cd $scratch && bpflink inspect damaged.bpf.o
            """)
        #expect(run.status == 1 && run.output.isEmpty)
        #expect(run.errors == "error: damaged.bpf.o has no ELF header: invalid `Elf' handle\n")
    }

    private func inScratch(_ words: String) throws -> Outcome {
        try Command.run("scratch=$(mktemp -d); ( \(words)\n); status=$?; rm -r $scratch; exit $status")
    }
}
