// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLinuxSystem
import Glibc
import Synchronization
import VMProtocol

/// What `test` does: the cases of a suite, each in a machine of its own.
public struct SuiteRun: Sendable {
    public var kernel: String
    public var accelerator: Accelerator
    /// The suite's executable: it knows `--list` and `--run NAME`.
    public var suite: String
    /// More files for the machine, as HOST or HOST:GUEST; a guest path that is not absolute lies beside the suite.
    public var files: [String] = []
    public var filters: [String] = []
    public var environment: [String] = []
    /// Boots a machine for every case instead of restoring a snapshot.
    public var cold = false
    public var memoryMiB = 256
    /// Per case; nil for the accelerator's default.
    public var timeout: Duration?
    /// Machines at a time; nil for one per core.
    public var jobs: Int?
    /// What the kernel needs more of than a plain one.
    public var needs = KernelNeeds()

    /// Where the suite lies in the machine, and its working directory.
    static let directory = "/suite"

    public init(kernel: String, accelerator: Accelerator, suite: String) {
        self.kernel = kernel
        self.accelerator = accelerator
        self.suite = suite
    }

    /// Everything that is made once for all cases.
    public struct Prepared: Sendable {
        let run: SuiteRun
        let initramfs: Initramfs
        let kernelDigest: String
        let rules: SplatRules
        let cache: Cache
        let note: @Sendable (String) -> Void
        fileprivate let snapshots = SnapshotShelf()
    }

    /// Makes the initial file system.
    /// - Throws: `RunnerError`
    public func prepare(
        agent: String?, installation: Installation, cache: Cache, note: @escaping @Sendable (String) -> Void
    ) throws -> Prepared {
        let rules = try SplatRules(deny: installation.splatDenyList, allow: installation.splatAllowList)
        return Prepared(
            run: self, initramfs: try fileSystem(agent: agent, cache: cache),
            kernelDigest: try Digest.ofFile(try Files.resolve(kernel), cache: cache), rules: rules, cache: cache, note: note)
    }

    /// The agent, the suite, its files, and the libraries that they need.
    func fileSystem(agent: String?, cache: Cache) throws -> Initramfs {
        let name = LibraryClosure.lastComponent(suite)
        var items = [Initramfs.Item(source: try Files.resolve(suite), path: "\(SuiteRun.directory)/\(name)")]
        for file in files {
            let parts = file.split(separator: ":", maxSplits: 1).map(String.init)
            let source = try Files.resolve(parts[0])
            let path = parts.count > 1 ? parts[1] : LibraryClosure.lastComponent(parts[0])
            items.append(.init(source: source, path: path.hasPrefix("/") ? path : "\(SuiteRun.directory)/\(path)"))
        }
        let initramfs = try Initramfs.make(agent: try Installation.agent(agent), items: items, cache: cache)
        cache.prune("initramfs", keeping: 2 * Snapshot.kept)
        return initramfs
    }
}

/// The snapshots of one run, by number of CPUs. Each is made once, by the first who asks.
private final class SnapshotShelf: Sendable {
    private let made = Mutex<[Int: Snapshot]>([:])

    func snapshot(cpus: Int, make: () throws -> Snapshot) throws -> Snapshot {
        try made.withLock { made in
            if let snapshot = made[cpus] { return snapshot }
            let snapshot = try make()
            made[cpus] = snapshot
            return snapshot
        }
    }
}

extension SuiteRun.Prepared {
    /// The suite's own list of its cases, asked for in the guest.
    /// - Throws: `Failure`, `RunnerError`
    public func cases() throws -> [SuiteCase] {
        let (outcome, output, standardOutput, _) = try execute(SuiteCase(name: "list"), ["--list"])
        switch outcome {
        case .passed: return try SuiteCase.parse(standardOutput)
        case .guest(let failure): throw failure
        case .failed(let reason), .skipped(let reason):
            throw RunnerError("the suite does not list its cases: \(reason)\n\(output)")
        }
    }

    /// Runs cases, as many at a time as there are cores for their CPUs.
    /// - Parameter report: called for every result, one at a time, in the order in which they end.
    /// - Returns: the results in the order of `cases`.
    public func results(of cases: [SuiteCase], report: @escaping @Sendable (CaseResult) -> Void) throws -> [CaseResult] {
        let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        var results: [String: CaseResult] = [:]
        for cpus in Set(cases.map(\.cpus)).sorted() {
            let group = cases.filter { $0.cpus == cpus }
            let state = Mutex(Progress(waiting: group[...]))
            let workers = min(group.count, max(1, (run.jobs ?? cores) / cpus))
            onThreads(workers) {
                while let item = state.withLock({ $0.error == nil ? $0.waiting.popFirst() : nil }) {
                    do {
                        let result = try self.result(of: item)
                        state.withLock {
                            $0.done.append(result)
                            report(result)
                        }
                    } catch {
                        state.withLock { $0.error = error }
                    }
                }
            }
            let (done, error) = state.withLock { ($0.done, $0.error) }
            if let error { throw error }
            for result in done { results[result.name] = result }
        }
        return cases.compactMap { results[$0.name] }
    }

    private struct Progress {
        var waiting: ArraySlice<SuiteCase>
        var done: [CaseResult] = []
        var error: (any Error)?
    }

    private func result(of item: SuiteCase) throws -> CaseResult {
        // Not the case's time. Its failure is the case's, below.
        if !run.cold { _ = try? snapshot(cpus: item.cpus) }
        let start = ContinuousClock.now
        let (outcome, output, _, log) = try execute(item, ["--run", item.name])
        return CaseResult(
            name: item.name, outcome: outcome, output: output, kernelLog: log, duration: ContinuousClock.now - start)
    }

    /// Runs the suite's executable once in a pristine machine.
    private func execute(
        _ item: SuiteCase, _ arguments: [String]
    ) throws -> (CaseResult.Outcome, output: String, standardOutput: String, kernelLog: [String]) {
        let directory = try Files.makeTemporaryDirectory()
        defer { Files.remove(directory) }
        let session: Session
        do {
            session = try start(cpus: item.cpus, directory: directory)
        } catch let failure as Failure {
            return (.guest(failure), "", "", [])
        }
        var output: [UInt8] = []
        var standardOutput: [UInt8] = []
        session.run(
            job(id: item.name, arguments), timeout: limit(session, item),
            streams: .init(output: { stream, bytes in
                output += bytes
                if stream == .output { standardOutput += bytes }
            }))
        session.shutDown(awaitsExit: run.cold)
        let failure = session.conclude()
        let text = String(decoding: output, as: UTF8.self)
        let log = session.evidence.kernelLog
        if let failure { return (.guest(failure), text, "", log) }
        guard let end = session.evidence.end else { preconditionFailure("no failure and no end record") }
        let outcome: CaseResult.Outcome
        switch end.status {
        case .exited(let code): outcome = CaseResult.judge(exitCode: code, output: text)
        case .signalled(let signal): outcome = .failed(reason: "ended by signal \(signal)")
        case .notStarted(_, let reason): outcome = .failed(reason: reason)
        }
        return (outcome, text, String(decoding: standardOutput, as: UTF8.self), log)
    }

    private func job(id: String, _ arguments: [String]) -> Job {
        let program = "\(SuiteRun.directory)/\(LibraryClosure.lastComponent(run.suite))"
        return Job(
            id: id, arguments: [program] + arguments,
            environment: ["PATH=\(SuiteRun.directory):/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "TERM=dumb"]
                + run.environment,
            directory: SuiteRun.directory)
    }

    private func limit(_ session: Session, _ item: SuiteCase?) -> Duration {
        run.timeout ?? .seconds(20) * (session.machine.configuration.patience * (item?.patience ?? 1))
    }

    /// Runs cases one after the other in one machine and then has the kernel look for memory that they leaked, once:
    /// that takes it long. What becomes of the cases is not judged here, for they are made for a machine of their own.
    /// - Returns: what was found, as of a case of the name `leaks`.
    public func searchForLeaks(in cases: [SuiteCase]) throws -> CaseResult {
        let start = ContinuousClock.now
        let directory = try Files.makeTemporaryDirectory()
        defer { Files.remove(directory) }
        func result(_ outcome: CaseResult.Outcome, _ output: String, _ log: [String]) -> CaseResult {
            CaseResult(
                name: "leaks", outcome: outcome, output: output, kernelLog: log, duration: ContinuousClock.now - start)
        }
        let session: Session
        do {
            session = try self.start(cpus: cases.map(\.cpus).max() ?? 1, directory: directory)
        } catch let failure as Failure {
            return result(.guest(failure), "", [])
        }
        let jobs =
            cases.map { (item: $0, job: job(id: $0.name, ["--run", $0.name])) }
            + [(nil, Job(id: "leaks", arguments: ["/init"], searchesForLeaks: true))]
        var last = ""
        for (item, job) in jobs {
            session.forgetEnd()
            last = job.id
            session.run(job, timeout: limit(session, item), streams: .init(output: { _, _ in }))
            if session.failureSoFar() != nil { break }
        }
        session.shutDown(awaitsExit: run.cold)
        let log = session.evidence.kernelLog
        if let failure = session.conclude() { return result(.guest(failure), "in or after \(last)\n", log) }
        if case .notStarted(_, let reason) = session.evidence.end?.status { return result(.failed(reason: reason), "", log) }
        return result(.passed, "", log)
    }

    private func start(cpus: Int, directory: String) throws -> Session {
        let configuration = try configuration(cpus: cpus)
        if run.cold { return try Session.boot(configuration, directory: directory, rules: rules, note: note) }
        return try Session.restore(
            configuration, directory: directory, snapshot: try snapshot(cpus: cpus), rules: rules)
    }

    private func snapshot(cpus: Int) throws -> Snapshot {
        try snapshots.snapshot(cpus: cpus) {
            try Snapshot.make(
                try configuration(cpus: cpus), kernelDigest: kernelDigest, initramfsDigest: initramfs.digest, rules: rules,
                cache: cache, note: note)
        }
    }

    private func configuration(cpus: Int) throws -> MachineConfiguration {
        MachineConfiguration(
            kernel: try Files.resolve(run.kernel), initramfs: initramfs.path, accelerator: run.accelerator, cpus: cpus,
            memoryMiB: max(run.memoryMiB, run.needs.leastMemoryMiB), needs: run.needs)
    }
}

/// Runs `body` on so many threads and waits for all. Threads of their own, because the body blocks.
func onThreads(_ count: Int, _ body: @escaping @Sendable () -> Void) {
    final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    var threads: [pthread_t] = []
    for _ in 0..<count {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Body(body))
        let failure = pthread_create(
            &thread, nil,
            { argument in
                Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
                return nil
            }, argument.toOpaque())
        if failure == 0 {
            threads.append(thread)
        } else {
            argument.release()
        }
    }
    if threads.isEmpty { body() }
    for thread in threads { pthread_join(thread, nil) }
}
