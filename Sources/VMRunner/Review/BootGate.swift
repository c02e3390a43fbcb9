// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// What is run on the kernel of each patch.
public struct SmokeSuite: Sendable {
    /// The suite's executable, and more files for the machine, as `SuiteRun` takes them.
    public var suite: String
    public var files: [String]
    /// Chooses cases that hold on every kernel from the base to the end of the series: they ask the kernel what it can do, and
    /// then have it do that.
    public var always: [String]
    /// Chooses cases that hold at the end of the series only.
    public var atTheEnd: [String]

    public init(suite: String, files: [String], always: [String], atTheEnd: [String]) {
        (self.suite, self.files, self.always, self.atTheEnd) = (suite, files, always, atTheEnd)
    }
}

/// The kernel with the patches up to this one links and boots, and what it says it can do, it does: after each patch a kernel
/// builds and runs ("Separate your changes", Documentation/process/submitting-patches.rst), for git-bisect(1) may stop there.
struct BootGate: Gate {
    let name = "boot"
    let scope = GateScope.everyPatch
    let isQuick = false
    let smoke: SmokeSuite?
    let jobs: Int?
    let installation: Installation
    let cache: Cache
    /// How many patches the series has.
    let total: Int
    let note: @Sendable (String) -> Void

    private func suite() throws(RunnerError) -> SmokeSuite {
        guard let smoke else {
            throw RunnerError("no suite was named for the boot gate", help: "Scripts/kernel-check-series names one")
        }
        return smoke
    }

    private func run(on kernel: String, by accelerator: Accelerator) throws(RunnerError) -> SuiteRun {
        let smoke = try suite()
        var run = SuiteRun(kernel: kernel, accelerator: accelerator, suite: smoke.suite)
        run.files = smoke.files
        return run
    }

    func conditions(_ series: ReviewedSeries) throws -> [String] {
        // What goes into the machine does not depend on its kernel, nor on who executes it.
        let files = try run(on: "", by: .tcg).fileSystem(agent: nil, cache: cache).digest
        let smoke = try suite()
        return ["1", files, try Files.text(installation.kernelConfig)] + smoke.always + ["at the end"] + smoke.atTheEnd
            + (try BuildTools.find(.plain, installation: installation).versions)
    }

    func content(of stretch: Stretch) -> [String] { [stretch.after.tree, stretch.count == total ? "end" : "part"] }

    func judge(_ stretch: Stretch, of series: ReviewedSeries) throws -> Judgement {
        guard stretch.changesKernel || stretch.count == total else { return Judgement(remark: "same kernel") }
        var build = KernelBuild(variant: KernelVariant(stretch.count == total ? .all : .first(stretch.count)))
        build.jobs = jobs
        let kernel: StoredKernel
        do {
            kernel = try build.run(installation: installation, cache: cache, note: note, progress: { _ in })
        } catch let failure as RunnerError {
            return Judgement(faults: failure.description.split(separator: "\n").map(String.init), remark: "does not build")
        }
        do {
            return try judge(kernel, isEnd: stretch.count == total)
        } catch let failure as Failure {
            return Judgement(faults: "\(failure)".split(separator: "\n").map(String.init), remark: failure.kind.rawValue)
        }
    }

    private func judge(_ kernel: StoredKernel, isEnd: Bool) throws -> Judgement {
        let smoke = try suite()
        let probe = AcceleratorProbe(kernel: kernel.image, agent: nil, installation: installation, cache: cache)
        let prepared = try run(on: kernel.image, by: try probe.finding(note: note).accelerator)
            .prepare(agent: nil, installation: installation, cache: cache, note: note)
        let filters = smoke.always + (isEnd ? smoke.atTheEnd : [])
        let cases = SuiteCase.select(try prepared.cases(), filters)
        guard !cases.isEmpty else {
            throw RunnerError("no case of \(smoke.suite) is chosen by \(filters.joined(separator: " "))")
        }
        return BootGate.judge(try prepared.results(of: cases) { _ in }, of: cases.count, suite: smoke.suite)
    }

    static func judge(_ results: [CaseResult], of count: Int, suite: String) -> Judgement {
        let passed = results.count { $0.outcome == .passed }
        let report = Report(suite: suite, results: results, repeatCommand: "bpflink-vm test --suite \(suite)")
        var faults = report.failures.isEmpty ? [] : report.summary.split(separator: "\n").map(String.init)
        if faults.isEmpty && (passed == 0 || results.count < count) { faults = ["\(passed) of \(count) cases passed"] }
        return Judgement(faults: faults, remark: "\(passed) cases")
    }
}
