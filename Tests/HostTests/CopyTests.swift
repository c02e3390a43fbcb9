// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import Testing

/// Pseudo shared libraries as a user makes them: each command is a process of its own, the kernel any.
@Suite(.aloneOnTheKernel, .enabled(if: geteuid() == 0, "loading programs takes root")) struct CopyTests {
    private let pins = "/sys/fs/bpf/bpflink_copies_\(getpid())"

    /// Loads a library to be copied from, runs words, and removes all pins.
    private func withLibrary(_ words: String) throws -> Outcome {
        try Command.run(
            """
            bpflink load $FIXTURES/subprog.bpf.o --mode copy --pin \(pins)/lib >/dev/null && head -c 64 /dev/zero >/tmp/$$.packet
            L=pinned=\(pins)/lib; trap 'rm -rf \(pins) /tmp/$$.packet' EXIT
            run() { bpftool prog run pinned $1 data_in /tmp/$$.packet | sed -n 's/.*Return value: \\([0-9]*\\),.*/\\1/p'; }
            value() { for m in $(bpftool -j prog show pinned \(pins)/lib | jq '.map_ids[]'); do bpftool -j map dump id $m; done | jq -c '[.[].formatted?.value?] | tostring'; }
            \(words)
            """)
    }

    @Test func anImportIsACopyOnTheProvidersMaps() throws {
        let run = try withLibrary(
            """
            bpflink load $FIXTURES/import_socket.bpf.o --mode copy --import $L:bpf_subprog --import $L:bpf_subprog_scale --pin \(pins)/one
            bpflink load $FIXTURES/import_socket.bpf.o --mode copy --import $L:bpf_subprog --import $L:bpf_subprog_scale --pin \(pins)/two
            run \(pins)/one; run \(pins)/two
            value
            """)
        #expect(run.status == 0 && run.errors.isEmpty)
        #expect(run.output.contains("  imports bpf_subprog -> a copy of `int bpf_subprog(int kind, const struct event *event)` of pinned="))
        #expect(run.output.contains("\n42\n42\n"))
        // Two programs, each with two calls that weigh 1, counted in one map; four calls in the library's global data.
        #expect(run.output.contains("[0,0,0,4]"))
        #expect(run.output.contains("[{\\\".bss\\\":[{\\\"total\\\":4}]}]"))
    }

    @Test func theListShowsWhatCanBeCopied() throws {
        let run = try withLibrary("bpflink list; bpflink list -j | jq -r '.programs[].copies[]?.name' | grep -cx bpf_subprog_total")
        #expect(run.output.contains("  offers copies of int bpf_subprog(int kind, const struct event *event)\n"))
        #expect(Int(run.output.split(separator: "\n").last ?? "") ?? 0 >= 1)
    }

    @Test func theMapsOutliveTheLibrary() throws {
        let run = try withLibrary(
            """
            bpflink load $FIXTURES/import_socket.bpf.o --mode copy --import $L:bpf_subprog --import $L:bpf_subprog_scale --pin \(pins)/one >/dev/null
            bpflink unload \(pins)/lib >/dev/null; run \(pins)/one
            """)
        #expect(run.output == "42\n")
    }

    @Test func everyReferenceFindsTheLibrary() throws {
        let run = try withLibrary(
            """
            id=$(bpftool -j prog show pinned \(pins)/lib | jq .id) tag=$(bpftool -j prog show pinned \(pins)/lib | jq -r .tag)
            for r in id=$id tag=$tag $L; do
              bpflink load $FIXTURES/import_socket.bpf.o --mode copy --import $r:bpf_subprog --import $r:bpf_subprog_scale --pin \(pins)/imp >/dev/null && run \(pins)/imp
              rm \(pins)/imp
            done
            """)
        #expect(run.output == "42\n42\n42\n" && run.errors.isEmpty)
        let inherited = try Command.run(
            """
            bpflink load $FIXTURES/subprog.bpf.o --mode copy --exec -- sh -c 'bpflink load $FIXTURES/import_socket.bpf.o --mode copy \\
              --import $BPFLINK_FD:bpf_subprog --import $BPFLINK_FD:bpf_subprog_scale' 2>/dev/null
            """)
        #expect(inherited.status == 0)
        #expect(inherited.output.contains("loaded filter: "))
    }

    @Test func whoLetsBpflinkChooseIsToldThatItCopies() throws {
        let words = "note: kernel lacks FD + name calls: imported functions are copied, their maps and data shared\n"
        let stock = try Command.run("bpflink load $FIXTURES/subprog.bpf.o --mode kernel").status != 0
        let run = try Command.run("bpflink load $FIXTURES/subprog.bpf.o --exec -- true")
        #expect(run.status == 0)
        #expect(run.errors.contains(words) == stock)
        #expect(try Command.run("bpflink load $FIXTURES/subprog.bpf.o --mode copy --exec -- true").errors.contains("copied") == false)
        // Of JSON the note is a part.
        let json = try Command.run("bpflink load $FIXTURES/subprog.bpf.o -j --exec -- true 2>&1 | jq -r '.notes[0].code'")
        #expect(json.output == (stock ? "copied\n" : "null\n"))
    }

    @Test func aLibraryForCopiesCarriesItsObjectWhateverIsSaid() throws {
        let stock = try Command.run("bpflink load $FIXTURES/subprog.bpf.o --mode kernel").status != 0
        let run = try Command.run("bpflink load $FIXTURES/subprog.bpf.o --no-carry")
        #expect(run.status == 0)
        #expect(run.errors.contains("note: `--no-carry` is passed over: ") == stock)
    }

    @Test func whatIsMarkedIsVerifiedWithTheProgramThatHasTheCopy() throws {
        let run = try Command.run(
            """
            head -c 64 /dev/zero >/tmp/$$.packet; trap 'rm -rf \(pins) /tmp/$$.packet' EXIT
            bpflink load $FIXTURES/chain.bpf.o --mode copy --pin \(pins)/lib >/dev/null
            importer="bpflink load $FIXTURES/import_chain.bpf.o --mode copy --library pinned=\(pins)/lib"
            $importer --only on_rename,on_switch,on_arrival --pin \(pins)/all
            $importer --only filter --pin \(pins)/filter; bpftool prog run pinned \(pins)/filter data_in /tmp/$$.packet
            $importer --only wrong
            """)
        #expect(run.status == 1)
        #expect(run.output.contains("Return value: 21,"))
        #expect(run.output.contains("loaded on_arrival: "))
        #expect(run.errors.hasPrefix("error: the verifier refuses `wrong`: "))
        #expect(run.errors.contains("invalid mem access 'scalar'"))
    }

    @Test func contextsOfNamedTypesAreForKernelsThatDoNotKnowThemToo() throws {
        let run = try Command.run("bpflink load $FIXTURES/steps_contexts.bpf.o --mode copy --exec -- true")
        #expect(run.status == 0, "\(run.errors)")
    }

    @Test func whatIsNotValidByItselfIsVerifiedAsItIsCalled() throws {
        let run = try Command.run(
            """
            head -c 64 /dev/zero >/tmp/$$.packet; trap 'rm -rf \(pins) /tmp/$$.packet' EXIT
            bpflink load $FIXTURES/unchecked.bpf.o --mode copy --pin \(pins)/lib >/dev/null
            bpflink load $FIXTURES/import_unchecked.bpf.o --mode copy --library pinned=\(pins)/lib --pin \(pins)/filter >/dev/null
            bpftool prog run pinned \(pins)/filter data_in /tmp/$$.packet
            """)
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        #expect(run.output.contains("Return value: 42,"))
    }

    @Test func aGlobalFunctionThatIsMarkedIsNotVerifiedByItself() throws {
        #expect(try Command.run("bpflink load $FIXTURES/steps_chain.bpf.o --no-share --exec -- true").status == 0)
        #expect(try Command.run("bpftool prog loadall $FIXTURES/steps_chain.bpf.o \(pins)").status != 0)
    }

    @Test func whatIsOnlyCarriedIsNotCalled() throws {
        let run = try withLibrary("bpflink load $FIXTURES/import_socket.bpf.o --mode kernel --import $L:bpf_subprog")
        #expect(run.status == 1)
        let hasFeature = try Command.run("bpflink load $FIXTURES/subprog.bpf.o --mode kernel").status == 0
        #expect(run.errors.contains(hasFeature ? " cannot be called in pinned=" : "error: kernel lacks FD + name calls"))
    }

    @Test func programsWithExportsCarryTheirObject() throws {
        let run = try Command.run(
            """
            trap 'rm -rf \(pins)' EXIT
            bpflink load $FIXTURES/subprog.bpf.o --mode copy --pin \(pins)/lib >/dev/null
            bpflink load $FIXTURES/import_socket.bpf.o --mode copy --export --import pinned=\(pins)/lib:bpf_subprog \
              --import pinned=\(pins)/lib:bpf_subprog_scale --pin \(pins)/exporting
            rm \(pins)/lib
            bpflink load $FIXTURES/import_twice.bpf.o --mode copy --import pinned=\(pins)/exporting:twice --pin \(pins)/top
            head -c 64 /dev/zero >/tmp/$$.packet; bpftool prog run pinned \(pins)/top data_in /tmp/$$.packet; rm /tmp/$$.packet
            """)
        #expect(run.errors.isEmpty)
        #expect(run.output.contains("  offers copies of int twice(int value)\n"))
        #expect(run.output.contains("Return value: 100,"))
    }
}
