// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import Testing

/// Who has copies of whose functions, as `list`, `tree` and `unload` tell it; on any kernel. One suite with the others on copies, for
/// some look a library up by what two of the same would have in common.
extension CopyTests {
    private var pins: String { "/sys/fs/bpf/bpflink_copy_tree_\(getpid())" }

    /// A library, a library on it, an importer of both and one of the lower alone; ids read as the names of pins.
    private func withGraph(_ words: String) throws -> Outcome {
        try Command.run(
            """
            trap 'rm -rf \(pins)' EXIT; D=\(pins) L="load --mode copy"
            bpflink $L $FIXTURES/subprog.bpf.o --pin $D/lower >/dev/null
            bpflink $L $FIXTURES/library_on_library.bpf.o --library pinned=$D/lower --pin $D/upper >/dev/null
            bpflink $L $FIXTURES/import_levels.bpf.o --library pinned=$D/upper --pin $D/both >/dev/null
            bpflink $L $FIXTURES/import_socket.bpf.o --library pinned=$D/lower --pin $D/one >/dev/null
            for p in lower upper both one; do printf '%s\\n' "s/\\b$(bpftool -j prog show pinned $D/$p | jq .id)\\b/<$p>/g"; done >/tmp/$$.names
            named() { "$@" | sed -f /tmp/$$.names; }
            \(words)
            rm /tmp/$$.names
            """)
    }

    @Test func copiesAreEdgesOfTheTree() throws {
        let run = try withGraph("named bpflink tree pinned=$D/lower")
        #expect(
            run.output == """
                <lower>: socket_filter subprog
                │   pinned at \(pins)/lower
                │   offers copies of int bpf_subprog(int kind, const struct event *event)
                │   offers copies of unsigned long bpf_subprog_total(void)
                │   offers copies of int bpf_subprog_scale(int value, unsigned short factor)
                ├── <upper>: socket_filter library_on_libr  passes on copies of bpf_subprog, bpf_subprog_scale
                │   │   pinned at \(pins)/upper
                │   │   offers copies of int bpf_subprog_scaled(int kind, const struct event *event, unsigned short factor)
                │   └── <both>: socket_filter filter  has copies of bpf_subprog_scaled
                │           pinned at \(pins)/both
                ├── <both>: socket_filter filter  has copies of bpf_subprog, bpf_subprog_scale  (shown above)
                └── <one>: socket_filter filter  has copies of bpf_subprog_scale, bpf_subprog
                        pinned at \(pins)/one

                """)
    }

    @Test func theListAndJSONSayTheSame() throws {
        let run = try withGraph(
            """
            named bpflink list | sed -n '/^<one>/,$p'
            named bpflink tree -j pinned=$D/one
            """)
        #expect(run.output.hasPrefix("<one>: socket_filter filter, tag "))
        #expect(run.output.contains("\n  has a copy of bpf_subprog from id <lower> (subprog)\n"))
        #expect(
            run.output.contains("{\"name\":\"bpf_subprog\",\"provider\":{\"id\":<lower>,\"name\":\"subprog\"},\"copy\":true}"))
        let around = try withGraph("named bpflink tree -j pinned=$D/lower")
        #expect(around.output.contains("\"importers\":[<upper>,<both>,<one>]"))
        #expect(around.output.contains("\"copy\":true,\"passed_on\":true}"))
    }

    @Test func arrowsOfCopiesAreDashed() throws {
        let run = try withGraph("named bpflink tree --dot pinned=$D/lower")
        let lines = run.output.split(separator: "\n").map(String.init)
        #expect(
            lines.filter { $0.contains(" -> ") } == [
                "  <upper> -> <lower> [label=\"bpf_subprog (passed on)\\nbpf_subprog_scale (passed on)\", style=dashed];",
                "  <both> -> <lower> [label=\"bpf_subprog (copy)\\nbpf_subprog_scale (copy)\", style=dashed];",
                "  <both> -> <upper> [label=\"bpf_subprog_scaled (copy)\", style=dashed];",
                "  <one> -> <lower> [label=\"bpf_subprog_scale (copy)\\nbpf_subprog (copy)\", style=dashed];",
            ])
    }

    @Test func unloadSaysWhoHoldsTheMaps() throws {
        let run = try withGraph("named bpflink unload $D/lower --dry-run; named bpflink unload $D/lower -j")
        #expect(
            run.output.hasPrefix(
                """
                would unpin \(pins)/lower: subprog, id <lower>
                  its maps are still held, for copies, by id <upper> (socket_filter library_on_libr), pinned at \(pins)/upper
                  its maps are still held, for copies, by id <both> (socket_filter filter), pinned at \(pins)/both
                  its maps are still held, for copies, by id <one> (socket_filter filter), pinned at \(pins)/one

                """))
        #expect(run.output.contains("\"importers\":[],\"map_holders\":[{\"id\":<upper>,"))
    }

    @Test func whatIsLeftOfALibraryThatIsGone() throws {
        let run = try withGraph(
            """
            bpflink unload $D/lower >/dev/null
            i=0; while bpflink tree pinned=$D/one | grep -q offers && [ $((i += 1)) -lt 100 ]; do sleep 0.1; done
            named bpflink tree pinned=$D/one; named bpflink tree -j pinned=$D/one
            """)
        #expect(
            run.output.hasPrefix(
                """
                <one>: socket_filter filter
                        pinned at \(pins)/one
                        has a copy of bpf_subprog_scale of 
                """.replacing("        ", with: "    ")))
        #expect(run.output.contains("/subprog.bpf.o, which is no longer loaded\n"))
        #expect(run.output.contains("\"provider\":null,\"copy\":true,\"object\":\""))
    }

    @Test func aGraphOfOneCallIsRecordedAsWell() throws {
        let run = try Command.run(
            """
            trap 'rm -rf \(pins)' EXIT
            bpflink load --mode copy $FIXTURES/import_socket.bpf.o $FIXTURES/subprog.bpf.o --pin \(pins) >/dev/null
            bpflink tree pinned=\(pins)/filter
            """)
        #expect(run.output.contains(": socket_filter filter  has copies of "))
    }
}
