// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import TestFixtures
import Testing

/// `bpflink unload`: what it removes, in which order, and what it says of those who still hold something.
@Suite(.aloneOnTheKernel, .enabled(if: geteuid() == 0, "loading programs takes root")) struct UnloadTests {
    private let pins = "/sys/fs/bpf/bpflink_unload_\(getpid())"

    @Test func aDryRunRemovesNothing() throws {
        defer { _ = try? Command.run("rm -r \(pins)") }
        let run = try Command.run(
            """
            bpflink load $FIXTURES/attach_kinds.bpf.o --only on_queue,on_frame --attach=ingress=lo --attach=xdp=lo --pin \(pins) >/dev/null
            bpflink unload --dry-run \(pins) && ls \(pins) && bpflink unload \(pins) -j && ls /sys/fs/bpf
            """)
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        let lines = run.output.split(separator: "\n").map(String.init)
        // What was loaded last goes first.
        #expect(lines[0].hasPrefix("would unpin \(pins)/on_frame: on_frame, id "))
        #expect(lines[1] == "  would detach \(pins)/on_frame_link")
        #expect(lines[2].hasPrefix("would unpin \(pins)/on_queue: on_queue, id "))
        #expect(lines[3] == "  would detach \(pins)/on_queue_link")
        #expect(lines[4..<8] == ["on_frame", "on_frame_link", "on_queue", "on_queue_link"])
        #expect(lines[8].hasPrefix("{\"unloaded\":[{\"pin\":\"\(pins)/on_frame\""))
        #expect(!lines[9...].contains { pins.hasSuffix($0) })
    }

    @Test func whoStillHoldsAProgramIsSaid() throws {
        defer { _ = try? Command.run("rm -r \(pins)") }
        let run = try Command.run(
            """
            bpflink load $FIXTURES/plain.bpf.o --pin \(pins)/one --exec -- sh -c \
              'bpftool prog pin pinned \(pins)/one \(pins)/two && bpflink unload \(pins)/one && bpflink unload \(pins)/two -j'
            """)
        #expect(run.status == 0)
        #expect(run.output.contains("  still pinned at \(pins)/two\n"))
        #expect(run.output.contains("  still held by process "))
        #expect(run.output.contains("(bpflink)\n"))
        #expect(run.output.contains("\"processes\":[{\"pid\":"))
        #expect(run.output.contains("\"command\":\"sh\""))
    }

    @Test func mapsThatOthersMayFindStayUnlessTheyShallNot() throws {
        let object = "$FIXTURES.real/clang/pinned.bpf.o"
        let map = "/sys/fs/bpf/bpflink_pinned"
        defer { _ = try? Command.run("rm -rf \(pins) \(map)") }
        let run = try Command.run("bpflink load \(object) --pin \(pins)/one >/dev/null && bpflink unload \(pins)/one && ls \(map)")
        #expect(run.status == 0)
        #expect(run.output.contains("  its map stays pinned at \(map)\n"))
        let used = try Command.run(
            """
            bpflink load \(object) --pin \(pins)/one >/dev/null && bpflink load \(object) --pin \(pins)/two >/dev/null
            bpflink unload --maps \(pins)/one && ls \(map) >/dev/null && bpflink unload --maps \(pins)/two && ! ls \(map) 2>/dev/null
            """)
        #expect(used.status == 0)
        #expect(used.output.hasSuffix("unpinned the map \(map)\n"))
        #expect(used.output.contains("  its map stays pinned at \(map)\nunpinned \(pins)/two: "))
    }

    @Test func aDirectoryOfSomethingElseIsLeftAlone() throws {
        defer { _ = try? Command.run("rm -r \(pins)") }
        let run = try Command.run(
            """
            mkdir \(pins) && bpflink load $FIXTURES/plain.bpf.o --pin \(pins) >/dev/null
            bpftool map create \(pins)/other type array key 4 value 4 entries 1 name other && bpflink unload \(pins)
            """)
        #expect(run.status == 1)
        #expect(run.errors == "error: \(pins) is not a directory that `--pin` made\nnote: \(pins)/other is not a BPF program\nnote: it is anon_inode:bpf-map\n")
        #expect(try Command.run("ls \(pins)").output == "filter\nother\n")
    }

    @Test func severalPathsAreAllCheckedFirst() throws {
        defer { _ = try? Command.run("rm -r \(pins)") }
        let run = try Command.run(
            "bpflink load $FIXTURES/plain.bpf.o --pin \(pins)/one >/dev/null; bpflink unload \(pins)/one \(pins)/none; ls \(pins)")
        #expect(run.errors == "error: nothing is pinned at \(pins)/none\n")
        #expect(run.output == "one\n")
    }
}
