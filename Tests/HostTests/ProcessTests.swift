// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import Testing

/// `bpflink` as a process among others: the commands that it runs, signals, and what it writes to.
@Suite(.aloneOnTheKernel, .enabled(if: geteuid() == 0, "loading programs takes root")) struct ProcessTests {
    private let pins = "/sys/fs/bpf/bpflink_process_\(getpid())"

    /// Runs a script as the command of a load.
    private func exec(_ script: String, before: String = "") throws -> Outcome {
        try Command.run("\(before) bpflink load $FIXTURES/attachable.bpf.o --only on_call --attach --exec -- sh -c '\(script)'")
    }

    @Test func theSignalsOfTheTerminalAreLeftToTheCommand() throws {
        let alone = try exec("kill -INT $PPID; kill -QUIT $PPID; sleep 0.2; readlink /proc/$PPID/fd/$BPFLINK_FD && exit 5")
        #expect(alone.status == 5)
        #expect(alone.output == "anon_inode:bpf-prog\n")
        // To all of a group, as Ctrl-C sends it.
        let group = try Command.run(
            """
            setsid -w sh -c 'trap : INT; bpflink load $FIXTURES/plain.bpf.o --exec -- \
              sh -c "trap \\"sleep 0.2; echo ended; exit 3\\" INT; kill -INT 0; while :; do sleep 0.05; done"; echo $?'
            """)
        #expect(group.output == "ended\n3\n")
    }

    @Test(arguments: [("TERM", 4), ("HUP", 6)])
    func whatEndsBpflinkIsPassedOn(signal: String, status: Int32) throws {
        let told = try exec("trap \"exit \(status)\" \(signal); kill -\(signal) $PPID; while :; do sleep 0.05; done")
        #expect(told.status == status)
        let untold = try exec("kill -\(signal) $PPID; while :; do sleep 0.05; done")
        #expect(untold.status == (signal == "TERM" ? 143 : 129))
    }

    @Test func theStatusIsThatOfTheCommand() throws {
        #expect(try exec("exit 7").status == 7)
        #expect(try exec("kill -KILL $$").status == 137)
    }

    @Test func theCommandHasTheSignalsThatBpflinkHad() throws {
        // Of the last 31 signals none; the C library keeps the 32nd and 33rd for itself.
        let signals = "sed -n \"s/^Sig\\(Blk\\|Ign\\):.*\\(.......\\)$/\\1 \\2/p\" /proc/self/status"
        #expect(try exec(signals).output == "Blk 0000000\nIgn 0000000\n")
        // SIGHUP, SIGINT and SIGPIPE, ignored by whoever started it.
        #expect(try exec(signals, before: "trap \"\" HUP INT PIPE;").output == "Blk 0000000\nIgn 0001003\n")
    }

    @Test(arguments: [
        "bpflink inspect $FIXTURES/plain.bpf.o", "bpflink inspect $FIXTURES/plain.bpf.o -j",
        "bpflink header $FIXTURES/subprog.bpf.o",
        "bpflink load $FIXTURES/plain.bpf.o --dry-run", "bpflink load $FIXTURES/plain.bpf.o", "bpflink load -j nosuch",
        "bpflink load $FIXTURES/attachable.bpf.o --only on_call --attach", "bpflink list -j", "bpflink tree -j", "bpflink --help",
        "bpflink --version", "bpflink header --help", "bpflink load -j",
    ])
    func whatCannotBeWrittenIsAnError(command: String) throws {
        let full = try Command.run("timeout 20 \(command) >/dev/full")
        #expect(full.status == 1)
        #expect(full.errors.contains("error: the output cannot be written: No space left on device\n"))
        let closed = try Command.run("timeout 20 \(command) >&-")
        #expect(closed.status == 1)
        #expect(closed.errors.contains("error: the output cannot be written: "))
    }

    @Test func whatWasDoneIsSaidIfTheOutputCannotBeWritten() throws {
        let loaded = try Command.run("bpflink load $FIXTURES/plain.bpf.o --pin \(pins) >/dev/full; test -e \(pins) && exit 9")
        #expect(loaded.status == 9)
        #expect(loaded.errors.contains("No space left on device\nnote: this was done, and stays:\nloaded filter: id "))
        let planned = try Command.run("bpflink unload --dry-run \(pins) >/dev/full")
        #expect(planned.status == 1 && !planned.errors.contains("note:"))
        let unloaded = try Command.run("bpflink unload -j \(pins) >/dev/full")
        #expect(unloaded.status == 1)
        #expect(unloaded.errors.contains("\nnote: this was done:\nunpinned \(pins): filter, id "))
    }

    @Test func aClosedPipeIsAnErrorAndNoSignal() throws {
        let load = "bpflink load $FIXTURES/plain.bpf.o --pin \(pins)"
        let run = try Command.run("{ sleep 0.3; \(load); echo $? >&2; } | true; rm \(pins)")
        #expect(run.errors.contains("error: the output cannot be written: Broken pipe\n"))
        #expect(run.errors.hasSuffix("\n1\n"))
    }

    @Test func aPlanSaysIfTheKernelCouldNotBeAsked() throws {
        let words =
            "note: the running kernel cannot be asked what it can do: Operation not permitted\nnote: this is the plan for a kernel "
        let load = "setpriv --bounding-set -sys_admin,-bpf bpflink load --dry-run"
        let mayAsk = try Command.run("test $(cat /proc/sys/kernel/unprivileged_bpf_disabled) = 0").status == 0
        let library = try Command.run("\(load) $FIXTURES/subprog.bpf.o")
        #expect(library.status == 0)
        #expect(library.errors.contains(words) == !mayAsk)
        // Where the answer makes no difference, nothing is said.
        #expect(try Command.run("\(load) $FIXTURES/subprog.bpf.o --mode copy").errors.isEmpty)
        #expect(try Command.run("\(load) $FIXTURES/plain.bpf.o").errors.isEmpty)
    }

    @Test func aNameThatIsNotUTF8IsRefused() throws {
        // It would be read, or pinned, under another.
        let run = try Command.run("bpflink load $FIXTURES/plain.bpf.o --pin \(pins)/\"$(printf 'd\\377')\"; ls \(pins)")
        #expect(run.errors.hasPrefix("Error: Argument 4 is not UTF-8: '\(pins)/d\u{fffd}'\n"))
        #expect(run.output.isEmpty && run.status != 0)
    }

    @Test func whatStandsBehindTwoDashesIsAnObject() throws {
        let run = try Command.run("cd $(mktemp -d) && cp $FIXTURES/plain.bpf.o ./-x.bpf.o && bpflink load --dry-run -- -x.bpf.o; s=$?; rm -r $PWD; exit $s")
        #expect(run.status == 0 && run.output.hasPrefix("plan for -x.bpf.o\n"))
    }

    @Test func aLibraryIsNotAttached() throws {
        let run = try Command.run("timeout 20 bpflink load $FIXTURES/subprog.bpf.o --attach")
        #expect(run.status == 1)
        #expect(run.errors.contains("/subprog.bpf.o can be attached\nnote: a library has no program: others call its functions\n"))
    }

    @Test func aLibraryPathIsWhereLibrariesCanBePinned() throws {
        let run = try Command.run("bpflink load $FIXTURES/import_socket.bpf.o --library-path /tmp")
        #expect(run.status == 1)
        #expect(run.errors.hasPrefix("error: no library path: /tmp is not in a BPF file system\n"))
    }

    @Test func aPinsPathIsCheckedWhole() throws {
        let dotted = try Command.run("bpflink load $FIXTURES/plain.bpf.o --pin \(pins)/with.dot/filter")
        #expect(dotted.status == 1)
        #expect(dotted.errors == "error: the pin name `with.dot` has a dot, which the BPF file system does not allow\n")
        let load = "bpflink load $FIXTURES/plain.bpf.o --pin \(pins)"
        let below = try Command.run("\(load) >/dev/null; \(load)/filter; s=$?; rm \(pins); exit $s")
        #expect(below.status == 1)
        #expect(below.errors.hasPrefix("error: \(pins)/filter cannot be pinned: \(pins) is no directory\nnote: it holds program "))
    }

    @Test(arguments: [
        ("typed.bpf.o --only on_typed_call --type kprobe",
            "error: `on_typed_call` cannot be of type kprobe: its section `tp_btf/sys_enter` makes it tracing\n"),
        ("import_tracing.bpf.o $FIXTURES/subprog.bpf.o --type tc",
            " cannot be of type sched_cls: its section `fentry/bpf_fentry_test1` makes it tracing\n"),
        ("struct_ops.bpf.o --only restart --type tc",
            "error: `restart` cannot be of type sched_cls: its section `struct_ops/restart` makes it struct_ops\n"),
    ])
    func theTypeOfAProgramWithATargetInTheKernelIsItsOwn(words: String, error: String) throws {
        for load in ["bpflink load", "bpflink load --dry-run"] {
            let run = try Command.run("\(load) $FIXTURES/\(words)")
            #expect(run.status == 1)
            #expect(run.errors.contains(error))
        }
    }

    @Test func aMapOfFunctionsCanLackAllOfThem() throws {
        let without = try Command.run("bpflink load $FIXTURES/struct_ops.bpf.o --only filter")
        #expect(without.status == 0)
        #expect(without.output.contains("\nmap bpflink_control: id "))
        let with = try Command.run("bpflink load $FIXTURES/struct_ops.bpf.o")
        #expect(with.status == 0 && with.output.contains("loaded restart: "))
    }

    @Test func aMissingFileSystemOfTracepointsIsNamed() throws {
        let attach = "bpflink load $FIXTURES/steps.bpf.o --only on_switch --attach --exec -- true"
        let run = try Command.run(
            """
            unshare -m sh -c '
                for place in /sys/kernel/tracing /sys/kernel/debug; do test -d $place && mount -t tmpfs none $place; done
                \(attach)'
            """)
        #expect(run.status == 1)
        #expect(run.errors.contains("help: /sys/kernel/tracing is empty, "))
        #expect(run.errors.hasSuffix("`mount -t tracefs tracefs /sys/kernel/tracing`\n"))
    }
}
