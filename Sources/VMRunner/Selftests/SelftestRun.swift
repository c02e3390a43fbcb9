// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import VMProtocol

/// What `selftests` does: the kernel's own BPF selftests on two kernels, compared.
public struct SelftestRun: Sendable {
    public var question = SelftestQuestion.series
    public var suites: [SelftestSuite] = SelftestSuite.allCases
    /// Of test_progs only the tests of `VMImages/selftests.quick`, of veristat only the programs of the tree's
    /// `veristat.cfg`.
    public var quick = false
    public var base: String?
    /// Compilers, and machines, at a time; nil for one per core.
    public var jobs: Int?
    public var accelerator: Accelerator
    /// Of test_progs, runs on the kernel to compare with only the tests that do not pass on the one that is judged: what
    /// passes there cannot be lost. This halves the time of the longest suites.
    public var comparesAsNeeded = false
    /// Runs everything again, whatever is known of earlier runs.
    public var again = false

    /// How often tests that come out differently on the two kernels are run again, on both.
    private static let repetitions = 2

    public init(accelerator: Accelerator) { self.accelerator = accelerator }

    /// - Parameters:
    ///   - agent: the guest agent's file.
    ///   - note: takes words for the user.
    /// - Throws: `RunnerError`
    public func run(
        agent: String?, installation: Installation, cache: Cache, note: @escaping @Sendable (String) -> Void,
        progress: (BuildProgress) -> Void
    ) throws -> SelftestReport {
        let lists = try SelftestLists(installation, question)
        func kernel(_ variant: KernelVariant) throws -> StoredKernel {
            try build(variant).run(installation: installation, cache: cache, note: note, progress: progress)
        }
        // The programs are the same whatever is asked: those for the stock and the patched kernel.
        let (stock, patched) = SelftestQuestion.series.variants
        let types = try kernel(stock)
        let source = try kernel(patched)
        let kernels = [try kernel(question.variants.before), try kernel(question.variants.after)]
        let series = try PatchSeries.make(.all, installation: installation).touchedFiles()
        var comparisons: [SelftestComparison] = []
        var ids: [String] = []
        for flavour in SelftestFlavour.allCases where suites.contains(where: { $0.flavour == flavour }) {
            // In the directory where the patched kernel was built last.
            let programs = try SelftestPrograms.make(
                flavour, build(patched), kernel: source, types: types, installation: installation, cache: cache,
                note: note, progress: progress)
            ids.append(programs.id)
            let bench = try SelftestBench(
                kernels: kernels, names: [question.names.before, question.names.after], programs: programs,
                accelerator: accelerator, agent: agent, again: again, installation: installation, cache: cache, note: note)
            comparisons += try compare(
                suites.filter { $0.flavour == flavour }, on: bench, programs: programs, lists: lists,
                touched: programs.sources.touched(by: series))
        }
        return SelftestReport(
            question: question, comparisons: comparisons, kernels: (before: kernels[0].id, after: kernels[1].id), programs: ids)
    }

    /// Runs suites of one flavour.
    private func compare(
        _ suites: [SelftestSuite], on bench: SelftestBench, programs: SelftestPrograms, lists: SelftestLists,
        touched: TouchedTests
    ) throws -> [SelftestComparison] {
        var shards: [SelftestShard] = []
        for suite in suites {
            try lists.check(suite, programs: programs)
            shards += try self.shards(of: suite, programs: programs, lists: lists)
        }
        let results =
            try comparesAsNeeded
            ? resultsAsNeeded(of: shards, on: bench) : bench.results(of: shards, on: [0, 1], jobs: jobs)
        return try suites.map { suite in
            let parts = shards.indices.filter { shards[$0].suite == suite }
            var (before, after) = (SelftestResult(), SelftestResult())
            for part in parts {
                before.add(results[part][0])
                after.add(results[part][1])
            }
            let denied = Set(lists.deny.tests(of: suite))
            let compared = SelftestComparison(
                suite, question, before: before, after: after, denied: denied, touched: touched)
            return try repeated(
                compared, shards: parts.map { shards[$0] }, bench: bench, denied: denied, touched: touched)
        }
    }

    /// The results on the kernel to compare with, as far as they are needed, and on the one that is judged.
    private func resultsAsNeeded(of shards: [SelftestShard], on bench: SelftestBench) throws -> [[SelftestResult]] {
        var results = try bench.results(of: shards, on: [1], jobs: jobs).map { [SelftestResult(), $0[0]] }
        var needed: [(index: Int, shard: SelftestShard)] = []
        for (index, shard) in shards.enumerated() {
            if try shard.suite.kind != .progs || bench.knows(shard, on: 0) {
                needed.append((index, shard))
                continue
            }
            var part = shard
            part.items = results[index][1].itemsInDoubt(of: shard)
            results[index][0].omitted = Set(shard.items).subtracting(part.items)
            if !part.items.isEmpty { needed.append((index, part)) }
        }
        for (place, result) in zip(needed, try bench.results(of: needed.map(\.shard), on: [0], jobs: jobs)) {
            results[place.index][0].add(result[0])
        }
        return results
    }

    private func build(_ variant: KernelVariant) -> KernelBuild {
        var build = KernelBuild(variant: variant)
        build.base = base
        build.jobs = jobs
        return build
    }

    private func shards(
        of suite: SelftestSuite, programs: SelftestPrograms, lists: SelftestLists
    ) throws -> [SelftestShard] {
        let items: [String]
        switch suite.kind {
        case .verifier, .maps: items = []
        case .progs: items = quick ? programs.sources.tests.filter(lists.quick.contains) : programs.sources.tests
        case .veristat: items = try programs.objects()
        }
        return SelftestShard.shards(
            of: suite, items: items, denied: lists.deny.tests(of: suite), plural: Set(lists.plural.tests(of: suite)),
            filter: quick && suite == .veristat ? "@veristat.cfg" : nil)
    }

    /// Tests that depend on time come out one way or the other: those that differ are run again on both kernels,
    /// and a test that passes once passes.
    private func repeated(
        _ comparison: SelftestComparison, shards: [SelftestShard], bench: SelftestBench, denied: Set<String>,
        touched: TouchedTests
    ) throws -> SelftestComparison {
        var comparison = comparison
        for attempt in 2..<2 + SelftestRun.repetitions {
            let names = (comparison.lost + comparison.gained).map(\.name)
            guard !names.isEmpty, comparison.suite.kind != .veristat else { break }
            let differing = Set(names.map { SelftestResult.item($0) })
            var again: [SelftestShard] = []
            for var shard in shards {
                if comparison.suite.kind == .progs { shard.items = shard.items.filter(differing.contains) }
                shard.attempt = attempt
                if comparison.suite.kind != .progs || !shard.items.isEmpty { again.append(shard) }
            }
            var (before, after) = (comparison.before, comparison.after)
            for result in try bench.results(of: again, on: [0, 1], jobs: jobs) {
                before.addRepetition(result[0])
                after.addRepetition(result[1])
            }
            comparison = SelftestComparison(
                comparison.suite, question, before: before, after: after, denied: denied, touched: touched)
        }
        return comparison
    }
}

/// The lists that say what is treated otherwise than the rest.
struct SelftestLists: Sendable {
    /// What is not run here, or not compared.
    var deny: SelftestList
    /// What wants two CPUs.
    var plural: SelftestList
    /// The tests of test_progs that are quick.
    var quick: Set<String>
    private let quickFile: String

    init(_ installation: Installation, _ question: SelftestQuestion) throws(RunnerError) {
        deny = try SelftestList(file: installation.selftestList("deny"))
        if question == .checkers { deny.entries += try SelftestList(file: installation.selftestList("debug")).entries }
        plural = try SelftestList(file: installation.selftestList("cpus"))
        quickFile = installation.selftestList("quick")
        let lines = try Files.text(quickFile).split(separator: "\n").filter { !$0.hasPrefix("#") }
        quick = Set(lines.flatMap { $0.split(separator: " ").map(String.init) })
    }

    func check(_ suite: SelftestSuite, programs: SelftestPrograms) throws(RunnerError) {
        let tests = Set(programs.sources.tests)
        let objects = Set(try programs.objects())
        for list in [deny, plural] {
            try list.check(suite) { name in
                switch suite.kind {
                // Known only when they have run.
                case .verifier, .maps: true
                case .progs: tests.contains(SelftestResult.item(name))
                case .veristat: objects.contains(SelftestResult.item(name))
                }
            }
        }
        guard suite == .progs, let unknown = quick.subtracting(tests).min() else { return }
        throw RunnerError("\(quickFile): test_progs has no test '\(unknown)'", help: "remove it, or correct its name")
    }
}
