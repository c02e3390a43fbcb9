// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import ArgumentParser
import VMRunner

struct Selftests: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the kernel's own BPF selftests on the stock and on the patched kernel, and compare.",
        discussion: """
            Both kernels are built in the selftests' configuration, the programs from the patched tree; both kernels run \
            the same programs. The series passes if no test leaves the set of those that pass, the kernel's log has nothing \
            new on the deny list, the verifier comes to the same verdicts by as many instructions and states, and takes \
            no longer. What was built and what was run is known the next time: after an interruption the command goes on \
            where it was. It needs what `Scripts/setup --selftests` installs.
            With --debug it is the patched kernel without and with its checkers (VMImages/debug.config), constants in JITed \
            code blinded: no test passes without them only, and the log, after a search for leaked memory too, has \
            nothing on the deny list at all.
            Data: VMImages/selftests.deny (what is not run, with reasons), .cpus (what wants two CPUs), .quick, .programs.
            Exit code: 0 if the patched kernel is as good, 1 if not, 245 if the runner could not do its work.
            """)

    @Flag(help: "Only what takes minutes: no test_maps, no flavours of test_progs, and of it and of veristat a part.")
    var quick = false

    @Flag(
        help: """
            Of test_progs, run on the stock kernel only the tests that do not pass on the patched one: what passes there \
            cannot be lost. Takes half the time.
            """)
    var stockAsNeeded = false

    @Flag(
        help: """
            Compare the patched kernel with itself on its checkers (KASAN, lockdep, UBSAN, kmemleak, …); runs the quick part of \
            test_progs, and without the checkers only what does not pass with them.
            """)
    var debug = false

    @Flag(help: "Run everything again, whatever is known from earlier runs.")
    var again = false

    @Flag(help: "Print JSON.")
    var json = false

    @Option(help: "Write JSON to this file.")
    var report: String?

    @Option(help: "Compilers at a time, and machines, of which there are never more than cores (default: one per core).")
    var jobs: Int?

    @Option(help: "A tarball or source tree of the kernel, in place of what Scripts/kernel-base gives.")
    var base: String?

    @Option(help: "Who executes the guest: kvm or tcg.")
    var accel = "tcg"

    @Option(help: "The guest agent, if it is not beside this program.")
    var agent: String?

    @Argument(
        help: """
            The suites: \(SelftestSuite.allCases.map(\.rawValue).joined(separator: ", ")) (default: all, or with --quick \
            \(SelftestSuite.quick.map(\.rawValue).joined(separator: ", ")), or with --debug \(SelftestSuite.progs.rawValue)).
            """,
        transform: { word in
            guard let suite = SelftestSuite(rawValue: word) else {
                let known = SelftestSuite.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("'\(word)' is no suite: choose from \(known)")
            }
            return suite
        })
    var suites: [SelftestSuite] = []

    func validate() throws {
        guard jobs ?? 1 > 0 else { throw ValidationError("--jobs takes a positive number") }
        guard !debug || !suites.contains(.veristat) else {
            throw ValidationError("with --debug there is no veristat: checkers change no verdict, and times say nothing")
        }
        guard Accelerator(rawValue: accel) != nil else { throw ValidationError("--accel takes kvm or tcg") }
    }

    func run() throws {
        try finish {
            var run = SelftestRun(accelerator: Accelerator(rawValue: accel) ?? .tcg)
            run.question = debug ? .checkers : .series
            run.suites = suites.isEmpty ? debug ? [.progs] : quick ? SelftestSuite.quick : SelftestSuite.allCases : suites
            run.quick = quick || debug
            run.comparesAsNeeded = stockAsNeeded || debug
            run.again = again
            run.base = base
            run.jobs = jobs
            let line = ProgressLine()
            let result = try run.run(
                agent: agent, installation: try Installation(), cache: try Cache(), note: { note($0) },
                progress: { line.show($0) })
            line.clear()
            if let report { try result.writeJSON(to: report) }
            say(json ? result.json : result.text)
            return result.isGood ? 0 : 1
        }
    }
}
