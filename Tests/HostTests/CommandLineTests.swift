// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import Testing

/// `bpflink load`, `list` and `unload` as a user types them, on the kernel that runs, with or without FD + name calls.
@Suite(.aloneOnTheKernel, .enabled(if: geteuid() == 0, "loading programs takes root")) struct CommandLineTests {
    private let pins = "/sys/fs/bpf/bpflink_host_\(getpid())"
    private let hasFeature: Bool

    init() throws {
        hasFeature = try Command.run("bpflink load $FIXTURES/subprog.bpf.o --mode kernel").status == 0
    }

    @Test func anObjectLoadsAsBpftoolLoadsIt() throws {
        let mine = try Command.run("bpflink load $FIXTURES/plain.bpf.o --pin \(pins)/mine; bpftool -j prog show pinned \(pins)/mine")
        let theirs = try Command.run(
            "bpftool prog load $FIXTURES/plain.bpf.o \(pins)/theirs && bpftool -j prog show pinned \(pins)/theirs")
        defer { _ = try? Command.run("rm -r \(pins)") }
        #expect(mine.output.hasPrefix("loaded filter: "))
        for member in ["type", "name", "tag", "bytes_xlated", "bytes_jited", "gpl_compatible"] {
            #expect(theirs.member(member) != nil)
            #expect(mine.member(member) == theirs.member(member))
        }
        // Map ids differ; the instructions and the names do not.
        let dump = "bpftool prog dump xlated pinned \(pins)"
        let ids = "sed 's/map\\[id:[0-9]*\\]/map/'"
        let difference = try Command.run("\(dump)/mine | \(ids) > /tmp/$$.a; \(dump)/theirs | \(ids) | cmp /tmp/$$.a -; s=$?; rm /tmp/$$.a; exit $s")
        #expect(difference.status == 0)
    }

    @Test func pinsAppearAndDisappear() throws {
        let loaded = try Command.run("bpflink load $FIXTURES/plain.bpf.o --pin \(pins)/lib -j && test -e \(pins)/lib")
        #expect(loaded.status == 0)
        #expect(loaded.member("pin") == "\(pins)/lib")
        let again = try Command.run("bpflink load $FIXTURES/plain.bpf.o --pin \(pins)/lib")
        #expect(again.status == 1)
        #expect(again.errors.hasPrefix("error: \(pins)/lib exists already\nnote: it holds program "))
        #expect(again.errors.contains(" (socket_filter filter)\nhelp: `bpflink unload "))
        let removed = try Command.run("bpflink unload \(pins)/lib && rmdir \(pins)")
        #expect(removed.status == 0)
        #expect(removed.output.hasPrefix("unpinned \(pins)/lib: filter, id "))
        #expect(try Command.run("bpflink unload \(pins)/lib").errors == "error: nothing is pinned at \(pins)/lib\n")
    }

    @Test func theDryRunIsThatOfTheRunningKernel() throws {
        let library = try Command.run("bpflink load --dry-run $FIXTURES/subprog.bpf.o")
        #expect(library.status == 0)
        #expect(library.output.contains("\n  load library subprog ") == hasFeature)
        #expect(library.output.contains("\n  load, to be copied from, library subprog ") == !hasFeature)
        #expect(library.errors.hasPrefix("note: kernel lacks FD + name calls: ") == !hasFeature)
        let steps = try Command.run("bpflink load --dry-run --share $FIXTURES/steps.bpf.o")
        #expect(steps.status == 0 && steps.output.contains("\n  step 1: load shared steps ") == hasFeature)
        #expect(steps.errors.contains("note: nothing is shared by programs of ") == !hasFeature)
    }

    @Test func programsThatShareLoadOnAnyKernel() throws {
        let load = "bpflink load $FIXTURES/steps.bpf.o --only on_frame,on_queue --except on_user"
        let pinned = try Command.run("\(load) --pin \(pins) && ls \(pins) && bpflink unload \(pins) >/dev/null")
        #expect(pinned.status == 0 && pinned.errors.isEmpty)
        #expect(pinned.output.hasSuffix(hasFeature ? "\non_frame\non_queue\nsteps\n" : "\non_frame\non_queue\n"))
        #expect(pinned.output.contains("  imports record ") == hasFeature)
        let asked = try Command.run("\(load) --share")
        #expect(asked.status == 0)
        #expect(asked.errors.contains("note: nothing is shared by programs of ") == !hasFeature)
        #expect(asked.errors.contains("note: kernel lacks FD + name calls\n") == !hasFeature)
        let copied = try Command.run("\(load) --no-share")
        #expect(copied.status == 0 && !copied.output.contains("imports"))
    }

    @Test func whatLibbpfAloneLoadsIsWhatIsLoadedWithoutSharing() throws {
        let mine = try Command.run("bpflink load $FIXTURES/steps_stored.bpf.o --pin \(pins)/mine; bpftool -j prog show pinned \(pins)/mine/first")
        let theirs = try Command.run(
            "bpftool prog loadall $FIXTURES/steps_stored.bpf.o \(pins)/theirs && bpftool -j prog show pinned \(pins)/theirs/first")
        defer { _ = try? Command.run("rm -r \(pins)") }
        for member in ["type", "name", "tag", "bytes_xlated", "bytes_jited"] {
            #expect(theirs.member(member) != nil)
            #expect(mine.member(member) == theirs.member(member))
        }
    }

    @Test func aRefusedObjectLeavesNothingBehind() throws {
        let refused = try Command.run("bpflink load $FIXTURES/refused.bpf.o --pin \(pins)")
        #expect(refused.status == 1)
        #expect(refused.output.isEmpty)
        #expect(refused.errors.contains("error: the verifier refuses `rejected`"))
        #expect(refused.errors.contains("\n  at refused.bpf.c:27: return *value; /* may be NULL */\n"))
        #expect(refused.errors.contains("invalid mem access"))
        #expect(try Command.run("test ! -e \(pins)").status == 0)
        #expect(try Command.run("bpftool prog show name accepted").output.isEmpty)
    }

    @Test func debugShowsTheLogWhole() throws {
        let brief = try Command.run("bpflink load $FIXTURES/refused.bpf.o")
        #expect(brief.errors.contains("help: `-d` shows the verifier's log whole"))
        #expect(!brief.errors.contains("processed "))
        let whole = try Command.run("bpflink load -d $FIXTURES/refused.bpf.o")
        #expect(whole.errors.contains("processed "))
        #expect(whole.errors.contains("libbpf: "))
    }

    @Test func aCommandInheritsTheProgram() throws {
        let run = try Command.run(
            "bpflink load $FIXTURES/plain.bpf.o --exec -- sh -c 'readlink /proc/self/fd/$BPFLINK_FD; test $BPFLINK_FD = $BPFLINK_FD_filter && exit 7'")
        #expect(run.status == 7)
        #expect(run.output == "anon_inode:bpf-prog\n")
        #expect(run.errors.contains(", FD "))
        #expect(try Command.run("bpflink load $FIXTURES/plain.bpf.o --exec -- /nowhere").status == 1)
    }

    @Test func attachedProgramsStayUntilASignal() throws {
        let cgroup = "$(dirname $(ls /sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/*/cgroup.controllers 2>/dev/null | head -1))"
        let run = try Command.run(
            """
            bpflink load $FIXTURES/attachable.bpf.o --attach --attach=cgroup=\(cgroup) & pid=$!
            for i in $(seq 100); do bpftool cgroup show \(cgroup) | grep -q on_packet && break; sleep 0.05; done
            test $i -lt 100 && kill -TERM $pid && wait $pid && echo ended
            """)
        #expect(
            run.errors == """
                note: attached until SIGINT (Ctrl-C) or SIGTERM comes
                help: `--pin PATH` keeps it attached without bpflink

                """)
        #expect(run.output.hasSuffix("ended\n"))
        #expect(run.output.contains("  attached: raw_tp/sys_enter\n"))
    }

    @Test(arguments: [
        ("bpflink load $FIXTURES/import_socket.bpf.o --import 99:bpf_subprog", "error: FD 99 is not open"),
        ("bpflink load $FIXTURES/import_socket.bpf.o --import 7:bpf_subprog 7</dev/null", "error: FD 7 is not a BPF program\nnote: it is /dev/null"),
        ("bpflink load $FIXTURES/import_socket.bpf.o --import id=4000000000:f", "error: no program has the id 4000000000"),
        ("bpflink load $FIXTURES/import_socket.bpf.o --import name=bpflink_none:f", "error: no loaded program matches `name=bpflink_none`"),
        ("bpflink load $FIXTURES/import_socket.bpf.o --import pinned=/sys/fs/bpf/none:f", "error: nothing is pinned at /sys/fs/bpf/none"),
        ("bpflink load $FIXTURES/none.bpf.o", "none.bpf.o cannot be read: No such file or directory"),
        ("bpflink load $FIXTURES/untyped.bpf.o", "error: the section `mine` of "),
        ("bpflink load $FIXTURES/plain.bpf.o --attach=xdp=lo", "error: no program of the object can be attached to `xdp=lo`"),
        ("bpflink tree id=4000000000", "error: no program has the id 4000000000"),
        ("bpflink unload id=1", "error: `id=1` cannot be unloaded"),
    ])
    func whatCannotBeDoneIsSaid(command: String, words: String) throws {
        let run = try Command.run(command)
        #expect(run.status == 1)
        #expect(run.output.isEmpty)
        #expect(run.errors.contains(words))
    }

    @Test func aProgramWithoutExportsIsNoProvider() throws {
        let run = try Command.run(
            "bpflink load $FIXTURES/plain.bpf.o --exec -- sh -c 'bpflink load $FIXTURES/import_socket.bpf.o --import $BPFLINK_FD:bpf_subprog -j'")
        #expect(run.status == 1)
        #expect(run.member("code") == "not-a-provider")
    }

    @Test func aStockKernelIsNamedForWhatItLacks() throws {
        let run = try Command.run("bpflink load $FIXTURES/subprog.bpf.o --mode kernel --pin \(pins)/lib")
        defer { _ = try? Command.run("rm -r \(pins)") }
        #expect(run.status == (hasFeature ? 0 : 1))
        #expect(run.errors.hasPrefix("error: kernel lacks FD + name calls; boot one with") == !hasFeature)
        #expect(run.errors.contains("bpflink-vm run --kernel patched") == !hasFeature)
        #expect(try Command.run("test -e \(pins)/lib").status == run.status)
    }

    @Test func aMissingCapabilityIsNamedBeforeAnythingIsDone() throws {
        let perfmon = try Command.run("setpriv --bounding-set -sys_admin,-perfmon bpflink load $FIXTURES/attachable.bpf.o")
        #expect(perfmon.status == 1)
        #expect(perfmon.errors.contains("loading a raw_tracepoint program needs CAP_BPF and CAP_PERFMON; have CAP_BPF and CAP_NET_ADMIN"))
        let lookUp = try Command.run("setpriv --bounding-set -sys_admin bpflink list -j")
        #expect(lookUp.status == 1)
        #expect(lookUp.member("code") == "capability")
        let enough = try Command.run("setpriv --bounding-set -all,+bpf bpflink load $FIXTURES/plain.bpf.o")
        #expect(enough.status == 0)
    }

    @Test func listShowsAllOnRequest() throws {
        let run = try Command.run(
            """
            bpflink load $FIXTURES/plain.bpf.o --exec -- sh -c '
                id=$(sed -n "s/^prog_id:[[:space:]]*//p" /proc/self/fdinfo/$BPFLINK_FD)
                bpflink list --all | grep "^$id: "; bpflink list | grep "^$id: "'
            """)
        // In the second it is not: grep finds nothing.
        #expect(run.status == 1)
        #expect(run.output.components(of: ": socket_filter filter, tag ") == 2)
    }

    @Test func treeShowsOneProgramAndWhoHoldsIt() throws {
        let run = try Command.run("bpflink load $FIXTURES/plain.bpf.o --exec -- sh -c 'bpflink tree $BPFLINK_FD'")
        #expect(run.status == 0)
        let lines = run.output.split(separator: "\n").map(String.init)
        #expect(lines.first?.hasSuffix(": socket_filter filter") == true)
        #expect(lines.dropFirst().allSatisfy { $0.hasPrefix("    held by process ") })
        #expect(lines.contains { $0.hasSuffix(" (bpflink)") })
        #expect(try Command.run("bpflink tree --dot").output.hasPrefix("digraph bpflink {\n"))
    }

    @Test(arguments: ["bpflink load", "bpflink load x --import 7", "bpflink load x --import :f", "bpflink load x --exec",
        "bpflink load x --type nonsense", "bpflink load x --attach=moon", "bpflink tree moon", "bpflink nonsense"])
    func wrongUsageIs64(command: String) throws {
        let run = try Command.run(command)
        #expect(run.status == 64)
        #expect(run.output.isEmpty)
    }

    @Test func errorsAreOneJSONValueOnRequest() throws {
        let run = try Command.run("bpflink load -j $FIXTURES/refused.bpf.o")
        #expect(run.status == 1)
        #expect(run.errors.isEmpty)
        #expect(run.output.hasPrefix("{\"error\":{\"code\":\"verifier\","))
        #expect(run.output.contains("\"verifier_log\":["))
        let usage = try Command.run("bpflink load -j")
        #expect(usage.status == 64)
        #expect(usage.errors.isEmpty)
        #expect(usage.output.hasPrefix("{\"error\":{\"code\":\"usage\","))
        let two = try Command.run("bpflink tree --dot -j")
        #expect(two.status == 64 && two.output.contains("`--dot` and `--json` are two outputs; choose one"))
    }
}

extension String {
    /// How many parts the separator leaves.
    fileprivate func components(of separator: String) -> Int {
        var count = 1
        var rest = self[...]
        while !rest.isEmpty {
            if rest.hasPrefix(separator) { count += 1 }
            rest = rest.dropFirst()
        }
        return count
    }
}
