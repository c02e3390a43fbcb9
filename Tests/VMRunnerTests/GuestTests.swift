// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import SystemPackage
import Testing
import VMProtocol

@testable import VMRunner

/// Real machines that do well and that fail in every way: each failure must get exactly one name, and the right one.
///
/// They need a kernel that `bpflink-vm kernel build` made (it has the kernel's own faults on demand, LKDTM), named by
/// the environment variable BPFLINK_TEST_KERNEL; without it the whole suite is shown as skipped.
@Suite(.serialized, .enabled(if: TestKernel.plain != nil, TestKernel.hint))
struct GuestTests {
    let machine = TestMachine(kernel: TestKernel.plain)

    func run(
        _ script: String, input: [HostMessage] = [], timeout: Duration = .seconds(60), directory path: String = "/",
        environment: [String] = [], onOutput: @escaping (Session) -> Void = { _ in }
    ) throws -> TestMachine.Outcome {
        try machine.run(
            script, input: input, timeout: timeout, directory: path, environment: environment, onOutput: onOutput)
    }

    /// Has the kernel commit one of its faults on demand.
    func provoke(_ fault: String, timeout: Duration = .seconds(60)) throws -> TestMachine.Outcome {
        try machine.provoke(fault, timeout: timeout)
    }

    // MARK: Machines that do well

    @Test func outputsAndExitCodeComeBackSeparately() throws {
        let outcome = try run("echo out; echo err >&2; exit 7")
        #expect(outcome.failure == nil)
        #expect(outcome.end?.status == .exited(7))
        #expect(outcome.output == "out\n" && outcome.errors == "err\n")
    }

    @Test func theCommandIsWhereItShouldBe() throws {
        let outcome = try run("pwd; echo $A; id -u; cat \(#filePath) | head -1", directory: "/usr", environment: ["A=b c"])
        #expect(outcome.output == "/usr\nb c\n0\n// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause\n")
    }

    @Test func theHostsFilesStayAsTheyAre() throws {
        let place = try Files.makeTemporaryDirectory()
        defer { Files.remove(place) }
        try Files.write("host\n".utf8, to: "\(place)/file")
        let outcome = try run(
            "cat file; echo guest > file; cat file; cd /; rm -r \(place); mkdir \(place); ls \(place)", directory: place)
        #expect(outcome.failure == nil && outcome.end?.status == .exited(0))
        #expect(outcome.output == "host\nguest\n")
        #expect(try Files.text("\(place)/file") == "host\n")
    }

    @Test func theKernelsFileSystemsAreThere() throws {
        let paths = [
            "/proc/self/status", "/sys/kernel", "/dev/null", "/dev/pts", "/sys/fs/bpf", "/sys/kernel/tracing/trace",
            "/sys/kernel/debug", "/sys/fs/cgroup/cgroup.procs", "/tmp", "/run", "/dev/fd/0",
        ]
        let missing = "for p in \(paths.joined(separator: " ")); do test -e $p || echo no $p; done"
        let outcome = try run("\(missing); cat /sys/class/net/lo/flags")
        // IFF_UP | IFF_LOOPBACK
        #expect(outcome.output == "0x9\n")
    }

    @Test func inputArrivesWholeAndEnds() throws {
        let block = [UInt8](repeating: UInt8(ascii: "x"), count: 9_999) + [UInt8(ascii: "\n")]
        let outcome = try run("echo ready; wc -lc", input: [.input(block), .input(block), .inputEnd])
        #expect(outcome.output.split { $0.isWhitespace } == ["ready", "2", "20000"])
    }

    @Test func aCommandThatCannotBeStartedIsNoFailureOfTheGuest() throws {
        let outcome = try run("exec /nonexistent", directory: "/")
        #expect(outcome.failure == nil && outcome.end?.status == .exited(127))
        let elsewhere = try run("true", directory: "/nonexistent")
        #expect(elsewhere.failure == nil && elsewhere.end?.exitCode == 127)
    }

    @Test func aSignalIsReported() throws {
        #expect(try run("kill -SEGV $$").end?.status == .signalled(11))
    }

    @Test func aFloodedConsoleDrownsNothing() throws {
        let flood = """
            echo on > /proc/sys/kernel/printk_devkmsg
            i=0; while [ $i -lt 3000 ]; do echo "<4>line $i of a flood"; i=$((i+1)); done > /dev/kmsg
            """
        let well = try run("\(flood)\necho done; exit 3")
        #expect(well.failure == nil)
        #expect(well.output == "done\n" && well.end?.status == .exited(3))
        #expect(try run("\(flood)\necho c > /proc/sysrq-trigger").failure?.kind == .panic)
    }

    // MARK: Kernels that fail

    @Test(arguments: ["PANIC", "BUG", "EXCEPTION", "EXHAUST_STACK"])
    func fatalFaultsArePanics(_ fault: String) throws {
        let outcome = try provoke(fault)
        #expect(outcome.failure?.kind == .panic)
        #expect(outcome.failure?.excerpt.contains { $0.contains("lkdtm") } == true)
        #expect(outcome.end == nil)
    }

    @Test func aWarningIsASplatAndTheCommandEnds() throws {
        let outcome = try provoke("WARNING")
        #expect(outcome.failure?.kind == .splat)
        #expect(outcome.failure?.excerpt.contains { $0.contains("lkdtm_WARNING") } == true)
        #expect(outcome.end?.status == .exited(0))
        #expect(outcome.end.map { $0.taintAfter != $0.taintBefore } == true)
    }

    @Test func aCommandThatDoesNotEndHangs() throws {
        let outcome = try run("sleep 1000", timeout: .seconds(2))
        #expect(outcome.failure?.kind == .hang)
        #expect(outcome.failure?.excerpt.contains { $0.contains("job stack") } == true)
    }

    /// Interrupts are off: only the injected NMI gets through, and its trace names the culprit.
    @Test func aCPUThatDoesNotAnswerHangs() throws {
        let outcome = try provoke("HARDLOCKUP", timeout: .seconds(4))
        #expect(outcome.failure?.kind == .hang)
        #expect(outcome.failure?.excerpt.contains { $0.contains("lkdtm_HARDLOCKUP") } == true)
    }

    // MARK: Machines that go away

    @Test func aResetIsLost() throws {
        #expect(try run("echo b > /proc/sysrq-trigger").failure?.kind == .lost)
    }

    @Test func killingQEMUIsLost() throws {
        let outcome = try run("echo started; sleep 1000", onOutput: { $0.machine.kill() })
        #expect(outcome.failure?.kind == .lost)
    }

    /// Takes the agent's port by pidfd_getfd(2) and writes to it in the agent's place.
    static func writeToPort(_ text: String) -> String {
        let script = """
            for my $n (3 .. 30) {
              next unless (readlink("/proc/1/fd/$n") // "") =~ /vport/;
              my $fd = syscall(438, syscall(434, 1, 0), $n, 0);
              open(my $port, ">&=", $fd) or die; syswrite($port, q(\(text)));
            }
            """
        return "perl -e '\(script)'"
    }

    @Test func aTruncatedEndRecordIsLost() throws {
        let record = #"{"seq":2,"type":"end","id":"test","exit":0"#
        let outcome = try run("\(Self.writeToPort(record)); echo b > /proc/sysrq-trigger")
        #expect(outcome.failure?.kind == .lost)
        #expect(outcome.failure?.reason.contains("breaks off") == true)
        #expect(outcome.end == nil)
    }

    @Test func aSecondWriterIsLost() throws {
        let record = #"{"seq":0,"type":"end","id":"test","exit":0,"ms":1,"taintBefore":0,"taintAfter":0}"# + "\n"
        #expect(try run("\(Self.writeToPort(record)); sleep 1000").failure?.kind == .lost)
    }

    // MARK: Machines that do not come up

    /// Boots with an initial file system that has this script as its first process, or none.
    func bootFailure(
        init script: String?, limits: Session.Limits = .init(), notes: (String) -> Void = { _ in }
    ) throws -> Failure? {
        let files = try Files.makeTemporaryDirectory()
        defer { Files.remove(files) }
        let initramfs: Initramfs
        if let script {
            try Files.write("#!/bin/sh\n\(script)\n".utf8, to: "\(files)/init", permissions: .init(rawValue: 0o755))
            let shell = Initramfs.Item(source: try Files.resolve("/bin/sh"), path: "/bin/sh")
            initramfs = try Initramfs.make(agent: "\(files)/init", items: [shell], cache: Cache(root: "\(files)/cache"))
        } else {
            let path = "\(files)/empty.cpio"
            try Files.write(CPIOArchive().encoded(), to: path)
            initramfs = Initramfs(path: path, digest: "")
        }
        do {
            _ = try Session.boot(
                try machine.configuration(initramfs: initramfs, sharesHostFiles: false), directory: files,
                rules: machine.rules,
                limits: limits, attempts: 2, note: notes)
            return nil
        } catch let failure as Failure {
            return failure
        }
    }

    @Test func aMissingFirstProcessIsBoot() throws {
        let failure = try bootFailure(init: nil)
        #expect(failure?.kind == .boot)
        #expect(failure?.reason.hasPrefix("Kernel panic") == true)
    }

    @Test func aFirstProcessThatEndsIsBoot() throws {
        let failure = try bootFailure(init: "exit 0")
        #expect(failure?.kind == .boot)
        #expect(failure?.reason.contains("Attempted to kill init") == true)
    }

    @Test func aBootThatHangsIsTriedAgainAndIsBoot() throws {
        var notes: [String] = []
        let failure = try bootFailure(
            init: "while :; do :; done", limits: .init(bootSilence: .seconds(2)), notes: { notes.append($0) })
        #expect(failure?.kind == .boot)
        #expect(failure?.reason == "the guest did not come up in time")
        #expect(notes.count == 1)
    }

    @Test func aKernelThatIsNoneDoesNotStart() throws {
        let files = try Files.makeTemporaryDirectory()
        defer { Files.remove(files) }
        var configuration = try machine.configuration()
        configuration.kernel = #filePath
        #expect(throws: (any Error).self) {
            try Session.boot(
                configuration, directory: files, rules: machine.rules, limits: .init(bootSilence: .seconds(1)), attempts: 1,
                note: { _ in })
        }
    }
}

/// A suite of shell cases in real machines, restored from a snapshot and booted anew.
@Suite(.serialized, .enabled(if: TestKernel.plain != nil, TestKernel.hint))
struct SuiteRunTests {
    static let script = """
        #!/bin/sh
        case "$1 $2" in
        "--list "*) printf 'good\\nbad\\nlater\\ntwo\\tcpus=2\\ncrash\\nwarn\\nslow\\nmark\\nunmarked\\nfile\\n' ;;
        *good) exit 0 ;;
        *bad) echo wrong; exit 3 ;;
        *later) echo not here; exit 4 ;;
        *two) IFS= read -r cpus < /sys/devices/system/cpu/online; [ "$cpus" = 0-1 ] ;;
        *crash) echo c > /proc/sysrq-trigger ;;
        *warn) echo WARNING > /sys/kernel/debug/provoke-crash/DIRECT ;;
        *slow) while :; do :; done ;;
        *unmarked) ! [ -e /tmp/mark ] ;;
        *mark) : > /tmp/mark ;;
        *file) IFS= read -r text < data/text && [ "$text" = hello ] ;;
        esac
        """

    @Test(arguments: [false, true])
    func everyCaseGetsItsOwnMachineAndItsOwnVerdict(cold: Bool) throws {
        let directory = try Files.makeTemporaryDirectory()
        defer { Files.remove(directory) }
        try Files.write(Self.script.utf8, to: "\(directory)/suite", permissions: .init(rawValue: 0o755))
        try Files.makeDirectory("\(directory)/data")
        try Files.write("hello\n".utf8, to: "\(directory)/data/text")
        var run = SuiteRun(kernel: try #require(TestKernel.plain), accelerator: .tcg, suite: "\(directory)/suite")
        run.files = ["/bin/sh:/bin/sh", "\(directory)/data"]
        run.timeout = .seconds(6)
        run.cold = cold
        let prepared = try run.prepare(
            agent: nil, installation: SplatRulesTests.installation, cache: TestMachine.cache, note: { _ in })
        let cases = try prepared.cases()
        #expect(cases.count == 10 && cases[3].cpus == 2)
        let start = time(nil)
        let results = try prepared.results(of: cases) { _ in }
        #expect(results.map(\.name) == cases.map(\.name))
        let words = results.map { result in
            switch result.outcome {
            case .passed: "passed"
            case .skipped(let reason): "skipped: \(reason)"
            case .failed(let reason): "failed: \(reason)"
            case .guest(let failure): failure.kind.rawValue
            }
        }
        #expect(
            words == [
                "passed", "failed: exit code 3", "skipped: not here", "passed", "PANIC", "SPLAT", "HANG", "passed", "passed",
                "passed",
            ])
        #expect(results[1].output == "wrong\n")
        guard !cold else { return }
        // Who keeps the cache small must see that the snapshot is in use to the end: a case took all of its time.
        let snapshots = try TestMachine.cache.directory("snapshots")
        let lastUse = try Files.list(snapshots).map { Files.modificationTime("\(snapshots)/\($0)") }.max()
        #expect(try #require(lastUse) >= start + 6)
    }
}
