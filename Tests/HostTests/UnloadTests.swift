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
        let stays = "  its map stays pinned at \(map), used by id "
        #expect(used.output.contains(stays), "\(used.output)")
        #expect(used.output.contains(" (socket_filter filter), pinned at \(pins)/two\nunpinned \(pins)/two: "))
    }

    @Test func loadNamesThePinsThatMapsAskFor() throws {
        let map = "/sys/fs/bpf/bpflink_pinned"
        defer { _ = try? Command.run("rm -f \(map)") }
        let load = "bpflink load $FIXTURES.real/clang/pinned.bpf.o"
        let run = try Command.run("\(load) 2>/dev/null | grep ^map; \(load) -j | grep -o '\"pin\":\"[^\"]*\"'")
        #expect(run.output.hasPrefix("map bpflink_pinned: id "))
        #expect(run.output.hasSuffix(", pinned at \(map)\n\"pin\":\"\(map)\"\n"), "\(run.output)")
    }

    /// Of a map's pin that is in the way, `load` gives a remedy that works.
    @Test func thePinOfAMapIsUnloadedIfNobodyUsesIt() throws {
        let object = "$FIXTURES.real/clang/pinned.bpf.o"
        let map = "/sys/fs/bpf/bpflink_pinned"
        defer { _ = try? Command.run("rm -rf \(pins) \(map)") }
        let inTheWay = try Command.run("bpflink load \(object) --pin \(pins)/one >/dev/null; bpflink load \(object) --pin \(map)")
        #expect(inTheWay.errors.contains("help: `bpflink unload --maps \(map)` removes the pin of a map that no program uses; "))
        let refused = try Command.run("bpflink unload \(map)")
        #expect(refused.status == 1 && refused.errors.hasPrefix("error: \(map) is the pin of a map\n"))
        #expect(refused.errors.hasSuffix("help: `bpflink unload --maps \(map)` removes it if no program uses the map\n"))
        let used = try Command.run("bpflink unload --maps \(map); bpflink unload --maps -j \(map)")
        #expect(used.status == 0)
        #expect(used.output.hasPrefix("left the map \(map), used by id "))
        #expect(used.output.contains(" (socket_filter filter), pinned at \(pins)/one\n{\"unloaded\":[],\"map_users\":[{"))
        #expect(used.output.hasSuffix("\"left\":[\"\(map)\"]}\n"))
        let removed = try Command.run("bpflink unload --maps \(map) \(pins)/one && ! ls \(map) 2>/dev/null")
        #expect(removed.status == 0 && removed.output.hasSuffix("\nunpinned the map \(map)\n"))
    }

    @Test func aDirectoryOfSomethingElseIsLeftAlone() throws {
        defer { _ = try? Command.run("rm -r \(pins)") }
        let run = try Command.run(
            """
            mkdir \(pins) && bpflink load $FIXTURES/plain.bpf.o --pin \(pins) >/dev/null
            bpftool map create \(pins)/other type array key 4 value 4 entries 1 name other && bpflink unload \(pins)
            """)
        #expect(run.status == 1)
        #expect(
            run.errors == """
                error: \(pins) is not a directory that `--pin` made
                note: \(pins)/other is the pin of a map
                help: `bpflink unload` takes single pins, too, and with `--maps` those of maps

                """)
        #expect(try Command.run("ls \(pins)").output == "filter\nother\n")
        let both = try Command.run("bpflink unload --maps \(pins) \(pins)/other && ! ls \(pins) 2>/dev/null")
        #expect(both.status == 0 && both.output.hasSuffix("\nunpinned the map \(pins)/other\n"), "\(both.errors)")
    }

    @Test func aSymbolicLinkKeepsADirectory() throws {
        defer { _ = try? Command.run("rm -r \(pins) \(pins)_other") }
        let run = try Command.run(
            """
            bpflink load $FIXTURES/plain.bpf.o --pin \(pins)_other >/dev/null; mkdir \(pins)
            bpflink load $FIXTURES/plain.bpf.o --pin \(pins) >/dev/null; ln -s \(pins)_other \(pins)/other; bpflink unload \(pins)
            """)
        #expect(run.errors.hasPrefix("error: \(pins) is not a directory that `--pin` made\n"))
        #expect(run.errors.contains("\nnote: \(pins)/other is a symbolic link\n"))
        #expect(try Command.run("ls \(pins) && test -e \(pins)_other").output == "filter\nother\n")
    }

    @Test func severalPathsAreAllCheckedFirst() throws {
        defer { _ = try? Command.run("rm -r \(pins)") }
        let run = try Command.run(
            "bpflink load $FIXTURES/plain.bpf.o --pin \(pins)/one >/dev/null; bpflink unload \(pins)/one \(pins)/none; ls \(pins)")
        #expect(run.errors == "error: nothing is pinned at \(pins)/none\n")
        #expect(run.output == "one\n")
    }

    /// The way to two pins, and the attachment of one.
    private static let attached = "bpflink load $FIXTURES/attach_kinds.bpf.o --only on_frame --attach=xdp=lo --pin"

    @Test(arguments: ["cd %; bpflink unload one", "bpflink unload %/../%n//./one", "ln -s % /tmp/%n; bpflink unload /tmp/%n/one"])
    func aPathMayBeSpelledInAnyWay(command: String) throws {
        let name = String(pins.split(separator: "/").last!)
        defer { _ = try? Command.run("rm -rf \(pins) /tmp/\(name)") }
        let unload = command.replacing("%n", with: name).replacing("%", with: pins)
        let run = try Command.run("mkdir \(pins); \(Self.attached) \(pins)/one >/dev/null; \(unload) && ls \(pins)")
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        let lines = run.output.split(separator: "\n")
        #expect(lines.count == 2, "\(run.output)")
        #expect(lines.first?.hasPrefix("unpinned \(pins)/one: on_frame, id ") == true)
        #expect(lines.last == "  detached \(pins)/one_link")
    }

    /// A pin is one however many mounts show it.
    @Test func aSecondMountOfTheFileSystemIsNoSecondPin() throws {
        let other = "/tmp/bpflink_unload_\(getpid())"
        defer { _ = try? Command.run("rm -rf \(pins); rmdir \(other)") }
        let run = try Command.run(
            """
            mkdir \(pins) \(other); \(Self.attached) \(pins)/one >/dev/null
            unshare -m sh -c 'mount --bind /sys/fs/bpf \(other); bpflink unload \(pins)/one' && ls \(pins)
            """)
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        #expect(run.output.hasSuffix("\n  detached \(pins)/one_link\n"), "\(run.output)")
        #expect(run.output.split(separator: "\n").count == 2, "\(run.output)")
    }

    @Test(.enabled(if: access("/sys/fs/bpf/maps.debug", F_OK) == 0, "the kernel has made no pins"))
    func pinsOfTheKernelStay() throws {
        let run = try Command.run("bpflink unload --dry-run /sys/fs/bpf/maps.debug")
        #expect(run.status == 1)
        #expect(run.errors.hasPrefix("error: /sys/fs/bpf/maps.debug is not a pin that `--pin` made\nnote: only pins that"))
    }

    @Test func theWorkingDirectoryIsUnloaded() throws {
        defer { _ = try? Command.run("rm -rf \(pins)") }
        let run = try Command.run(
            "mkdir \(pins); \(Self.attached) \(pins) >/dev/null; cd \(pins); bpflink unload . && ! ls \(pins) 2>/dev/null")
        #expect(run.status == 0 && run.errors.isEmpty, "\(run.errors)")
        #expect(run.output.hasSuffix("  detached \(pins)/on_frame_link\n"))
    }

    @Test(arguments: ["%/*", "% %/one", "%/one %", "%/one %/one_link %/one %/two", "%/one_link % %/."])
    func pathsAreASet(paths: String) throws {
        defer { _ = try? Command.run("rm -rf \(pins)") }
        let run = try Command.run(
            """
            \(Self.attached) \(pins)/one >/dev/null; bpflink load $FIXTURES/plain.bpf.o --pin \(pins)/two >/dev/null
            bpflink unload \(paths.replacing("%", with: pins)) && ls \(pins) 2>/dev/null; true
            """)
        #expect(run.errors.isEmpty, "\(run.errors)")
        let lines = run.output.split(separator: "\n")
        #expect(lines.count == 3, "\(run.output)")
        #expect(lines.first?.hasPrefix("unpinned \(pins)/two: filter, id ") == true)
        #expect(lines.last == "  detached \(pins)/one_link")
    }

    @Test(arguments: ["one_link", ""])
    func anAttachmentWithoutItsProgramIsUnloaded(path: String) throws {
        defer { _ = try? Command.run("rm -rf \(pins)") }
        let run = try Command.run(
            """
            \(Self.attached) \(pins)/one >/dev/null; rm \(pins)/one
            bpflink unload --dry-run -j \(pins)/\(path) && bpflink unload \(pins)/\(path) && ls \(pins) 2>/dev/null
            bpftool link show | grep ' xdp '; true
            """)
        #expect(run.errors.isEmpty, "\(run.errors)")
        #expect(run.output.hasPrefix("{\"would_unload\":[],\"attachments\":[{\"pin\":\"\(pins)/one_link\",\"id\":"))
        #expect(run.output.contains("]}\ndetached \(pins)/one_link: attachment "))
        #expect(run.output.split(separator: "\n").count == 2, "\(run.output)")
    }

    @Test func whoHoldsAnAttachmentIsSaid() throws {
        defer { _ = try? Command.run("rm -rf \(pins)") }
        let run = try Command.run(
            """
            \(Self.attached) \(pins)/one --exec -- sh -c \
              'bpftool link pin pinned \(pins)/one_link \(pins)/two_link; bpflink unload \(pins)/one_link'
            """)
        #expect(run.output.contains("detached \(pins)/one_link: attachment "))
        #expect(run.output.contains("\n  still pinned at \(pins)/two_link\n"), "\(run.output)")
        #expect(run.output.contains("\n  still attached by process "), "\(run.output)")
    }

    @Test func whatWasDoneIsSaidIfALaterStepFails() throws {
        defer { _ = try? Command.run("rm -rf \(pins)") }
        // What is a mount point cannot be removed.
        let run = try Command.run(
            """
            bpflink load $FIXTURES/plain.bpf.o --pin \(pins)/first >/dev/null; \(Self.attached) \(pins)/one >/dev/null
            unshare -m sh -c 'mount --bind \(pins)/first \(pins)/first; bpflink unload \(pins); bpflink unload -j \(pins)'
            ls \(pins)
            """)
        #expect(
            run.errors == """
                error: the pin \(pins)/first cannot be removed: Device or resource busy
                note: done by then: detached \(pins)/one_link
                note: done by then: unpinned \(pins)/one

                """)
        #expect(run.output.hasPrefix("{\"error\":{\"code\":\"pin\","))
        #expect(run.output.hasSuffix("}\nfirst\n"))
    }

    @Test func directoriesInADirectoryStayUnlessTheyAreNamed() throws {
        defer { _ = try? Command.run("rm -rf \(pins)") }
        let load = "bpflink load $FIXTURES/plain.bpf.o --pin"
        let inner = try Command.run(
            """
            mkdir \(pins); \(load) \(pins) >/dev/null; \(load) \(pins)/sub/low/x >/dev/null
            bpflink unload \(pins) && ls \(pins) && bpflink unload \(pins)
            """)
        #expect(inner.output.hasSuffix("\nleft \(pins)/sub: a directory of its own\nsub\n"), "\(inner.output)")
        #expect(inner.errors.hasPrefix("error: \(pins) holds no pin\nnote: it holds the directory \(pins)/sub\nhelp: name "))
        let json = try Command.run("\(load) \(pins) >/dev/null; bpflink unload -j --dry-run \(pins)")
        #expect(json.output.hasSuffix(",\"left\":[\"\(pins)/sub\"]}\n"), "\(json.output)")
        let all = try Command.run("bpflink unload \(pins) \(pins)/sub \(pins)/sub/low && ! ls \(pins) 2>/dev/null")
        #expect(all.status == 0 && all.errors.isEmpty, "\(all.errors)")
        #expect(all.output.split(separator: "\n").count == 2, "\(all.output)")
    }

    @Test(arguments: [
        ("/sys/fs/bpf", "error: /sys/fs/bpf is not a directory that `--pin` made\nnote: a file system is mounted there\n"),
        ("/dev/null/x", "error: nothing is pinned at /dev/null/x\n"), ("''", "error: nothing is pinned at \n"),
    ])
    func whatCannotBeUnloadedIsSaid(path: String, words: String) throws {
        let run = try Command.run("bpflink unload \(path)")
        #expect(run.status == 1 && run.errors.hasPrefix(words), "\(run.errors)")
    }

    /// A user who may not search a directory is not told that nothing is there.
    @Test func whatMayNotBeLookedUpIsNotSaidToBeMissing() throws {
        defer { _ = try? Command.run("rm -rf \(pins)") }
        let user = "setpriv --reuid=65534 --regid=65534 --clear-groups"
        let run = try Command.run(
            """
            bpflink load $FIXTURES/plain.bpf.o --pin \(pins)/one >/dev/null; bpflink=$(command -v bpflink)
            unshare -m \(user) $bpflink unload \(pins)/one
            """)
        #expect(run.errors == "error: \(pins)/one cannot be looked up: Permission denied\n")
    }
}
