// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// The review of the kernel series: which gates there are.
public struct SeriesReview: Sendable {
    /// Names of gates, or `configurations` for all of them; none are all gates.
    public var chosen: [String] = []
    /// Only gates that take seconds.
    public var isQuick = false
    /// What the boot gate runs; without it that gate cannot run.
    public var smoke: SmokeSuite?
    /// Compilers at a time; nil for one per core.
    public var jobs: Int?

    public init() {}

    /// - Parameter note: takes words on how far the run is.
    /// - Throws: `RunnerError` if the series does not apply, or a chosen gate does not exist.
    public func run(
        installation: Installation, cache: Cache, note: @escaping @Sendable (String) -> Void
    ) throws -> ReviewTable {
        let directory = try cache.directory("kernel")
        // One tree and one set of object directories: one run at a time.
        return try holdingLock("\(directory)/verdicts.lock", waiting: { note("waiting for another review to end") }) {
            let series = try ReviewedSeries.apply(installation, cache: cache)
            let gates = try select(try all(series, installation: installation, cache: cache, note: note))
            let store = VerdictStore(directory: try cache.directory("kernel/review/verdicts"))
            return Review(series: series, gates: gates, store: store, note: note).table()
        }
    }

    private func select(_ gates: [any Gate]) throws(RunnerError) -> [any Gate] {
        for name in chosen where !gates.contains(where: { $0.name == name }) {
            throw RunnerError("there is no gate '\(name)'", help: "gates: \(gates.map(\.name).joined(separator: " "))")
        }
        return gates.filter { chosen.isEmpty ? !isQuick || $0.isQuick : chosen.contains($0.name) }
    }

    private func all(
        _ series: ReviewedSeries, installation: Installation, cache: Cache, note: @escaping @Sendable (String) -> Void
    ) throws -> [any Gate] {
        let objects = try cache.directory("kernel/review/builds")
        let request = try KernelConfig(file: installation.kernelConfig)
        let file = "\(installation.root)/KernelPatches/configurations"
        let checker = Result { () throws(RunnerError) in try BuildLane.usableChecker(series.tree) }
        let lanes = try ReviewConfiguration.parse(try Files.text(file), name: file).map { configuration in
            BuildLane(
                name: configuration.name, directory: objects, configuration: configuration,
                request: try configuration.request(upon: request).text, checker: try? checker.get(), jobs: jobs)
        }
        guard let plain = lanes.first else { throw RunnerError("\(file) names no configuration") }
        var obstacle: RunnerError?
        if case .failure(let error) = checker { obstacle = error }
        let text: [any Gate] = [
            RoundTripGate("round-trip", .everyPatch, installation), CheckpatchGate(), SpellingGate(), KernelDocGate(),
            RoundTripGate("cover-letter", .wholeSeries, installation),
        ]
        let builds: [any Gate] = [
            BuildGate(name: "build", voices: [.compiler], lane: plain),
            BuildGate(name: "sparse", voices: [.checker], lane: plain, obstacle: obstacle),
            BootGate(smoke: smoke, jobs: jobs, installation: installation, cache: cache,
                total: series.patches.count, note: note),
        ]
        let configurations = lanes.dropFirst().map { lane in
            BuildGate(name: lane.name, scope: .wholeSeries, voices: [.compiler, .checker], lane: lane, obstacle: obstacle)
        }
        return text + builds + configurations
    }
}
