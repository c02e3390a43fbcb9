// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import Testing

/// Several objects in one call, and libraries that are looked for, on any kernel.
@Suite(.aloneOnTheKernel, .enabled(if: geteuid() == 0, "loading programs takes root")) struct GraphTests {
    private let pins = "/sys/fs/bpf/bpflink_graph_\(getpid())"

    private func run(_ words: String) throws -> Outcome {
        try Command.run(
            """
            trap 'rm -rf \(pins) /tmp/$$.packet' EXIT; head -c 64 /dev/zero >/tmp/$$.packet; cd $FIXTURES
            result() { bpftool prog run pinned $1 data_in /tmp/$$.packet | sed -n 's/.*Return value: \\([0-9]*\\),.*/\\1/p'; }
            ids() { bpftool -j prog show | jq -c '[.[].id]'; bpftool -j map show | jq -c '[.[].id]'; }
            \(words)
            """)
    }

    @Test func objectsAreLoadedInTheOrderOfTheirImports() throws {
        let run = try run(
            """
            bpflink load import_levels.bpf.o library_on_library.bpf.o subprog.bpf.o --pin \(pins) | grep '^loaded' | cut -d: -f1
            result \(pins)/filter; result \(pins)/filter
            bpflink unload \(pins) >/dev/null; test -e \(pins) || echo gone
            """)
        #expect(run.output == "loaded subprog\nloaded library_on_library\nloaded filter\n15\n30\ngone\n")
    }

    @Test func librariesAreNamedOrFound() throws {
        let run = try run(
            """
            bpflink load subprog.bpf.o --pin \(pins)/libraries/one >/dev/null
            bpflink load library_on_library.bpf.o --library pinned=\(pins)/libraries/one --pin \(pins)/libraries/two >/dev/null
            bpflink load import_levels.bpf.o --library-path \(pins)/libraries --pin \(pins)/filter >/dev/null
            result \(pins)/filter
            bpflink load weak.bpf.o --pin \(pins)/unbound >/dev/null; result \(pins)/unbound
            bpflink load weak.bpf.o --library-path \(pins)/libraries --pin \(pins)/bound >/dev/null; result \(pins)/bound
            """)
        #expect(run.output == "15\n7\n60\n")
    }

    @Test func whatIsInTheStandardDirectoryIsFoundLast() throws {
        let run = try run(
            """
            test -e /sys/fs/bpf/bpflink/lib && exit 9
            bpflink load import_kprobe.bpf.o; echo $?
            bpflink load subprog.bpf.o --pin /sys/fs/bpf/bpflink/lib/subprog >/dev/null
            bpflink load import_socket.bpf.o --pin \(pins)/filter | grep -c /sys/fs/bpf/bpflink/lib/subprog
            result \(pins)/filter; rm -r /sys/fs/bpf/bpflink
            """)
        if run.status == 9 { return }
        #expect(run.output == "1\n2\n42\n")
    }

    @Test func aStepThatFailsLeavesNothing() throws {
        let run = try run(
            """
            ids >/tmp/$$.before
            bpflink load subprog.bpf.o import_socket.bpf.o refused.bpf.o --pin \(pins); echo $?
            bpflink load subprog.bpf.o import_socket.bpf.o plain.bpf.o --pin \(pins); echo $?
            test -e \(pins) && echo pins are left
            for i in $(seq 100); do ids | cmp -s - /tmp/$$.before && break; sleep 0.05; done
            bpftool -j prog show | jq -r '.[].name' | grep -x -e subprog -e import_socket; rm /tmp/$$.before
            """)
        #expect(run.output == "1\n1\n")
        #expect(run.errors.contains("the verifier refuses "))
        #expect(run.errors.contains("error: two of the objects have a program `filter`, and both would be pinned at \(pins)/filter\n"))
    }

    @Test(arguments: [
        ("load circle_one.bpf.o circle_two.bpf.o circle_three.bpf.o",
            "error: objects import from each other: circle_one.bpf.o:step_one → circle_two.bpf.o:circle_two → circle_two.bpf.o:step_two → "),
        ("load import_kprobe.bpf.o --library-path /nowhere", "error: no library path: /nowhere cannot be read: No such file or directory\n"),
        ("load import_kprobe.bpf.o subprog.bpf.o --import object=none.bpf.o:bpf_subprog", "error: `object=none.bpf.o` names none of the objects\n"),
        ("load import_kprobe.bpf.o subprog.bpf.o ./subprog.bpf.o", "error: subprog.bpf.o and ./subprog.bpf.o are one file\n"),
        ("load import_kprobe.bpf.o --library-path /sys/fs/bpf/", "note: searched /sys/fs/bpf/, where no library is pinned\n"),
        ("load import_kprobe.bpf.o subprog.bpf.o --only nobody", "error: the set of 2 objects has no program `nobody`\n"),
        ("load import_kprobe.bpf.o --library name=bpflink_none", "error: no loaded program matches `name=bpflink_none`\n"),
    ])
    func whatCannotBeLinkedIsSaid(words: String, error: String) throws {
        let run = try run("bpflink \(words)")
        #expect(run.status == 1)
        #expect(run.errors.contains(error))
    }

    @Test func thePlanOfSeveralObjectsIsOneJSONValue() throws {
        let run = try run("bpflink load --dry-run -j import_socket.bpf.o subprog.bpf.o | jq -r '.objects[].object'")
        #expect(run.output == "subprog.bpf.o\nimport_socket.bpf.o\n")
    }

    @Test func anObjectIsKnownByItsFileHoweverThePathIsSpelled() throws {
        let run = try run(
            """
            for path in subprog.bpf.o ./subprog.bpf.o $PWD/subprog.bpf.o ../${PWD##*/}/subprog.bpf.o; do
              bpflink load import_kprobe.bpf.o subprog.bpf.o --import object=$path:bpf_subprog --dry-run -j \\
                | jq -c '[.objects[].object]'
            done
            """)
        #expect(run.output == String(repeating: #"["subprog.bpf.o","import_kprobe.bpf.o"]"# + "\n", count: 4))
    }

    @Test func oneDecidesBetweenTwo() throws {
        let run = try run(
            """
            cp subprog.bpf.o /tmp/$$_second.bpf.o
            bpflink load import_kprobe.bpf.o subprog.bpf.o /tmp/$$_second.bpf.o --import object=/tmp/$$_second.bpf.o:bpf_subprog \\
              --mode copy | grep 'imports bpf_subprog' | grep -c second
            rm /tmp/$$_second.bpf.o
            """)
        #expect(run.output == "1\n")
    }
}
