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

    /// The word that chooses all configurations.
    static let configurations = "configurations"

    func select(_ gates: [any Gate]) throws(RunnerError) -> [any Gate] {
        func isConfiguration(_ gate: any Gate) -> Bool { gate is BuildGate && gate.scope == .wholeSeries }
        for name in chosen where name != Self.configurations && !gates.contains(where: { $0.name == name }) {
            throw RunnerError(
                "there is no gate '\(name)'", help: "gates: \((gates.map(\.name) + [Self.configurations]).joined(separator: " "))")
        }
        return gates.filter { gate in
            if chosen.isEmpty { return !isQuick || gate.isQuick }
            return chosen.contains(gate.name) || isConfiguration(gate) && chosen.contains(Self.configurations)
        }
    }

    private func all(
        _ series: ReviewedSeries, installation: Installation, cache: Cache, note: @escaping @Sendable (String) -> Void
    ) throws -> [any Gate] {
        let objects = try cache.directory("kernel/review/builds")
        let request = try KernelConfig(file: installation.kernelConfig)
        let file = "\(installation.root)/KernelPatches/configurations"
        let checker = Result { () throws(RunnerError) in try BuildLane.usableChecker(series.tree) }
        let configurations = try ReviewConfiguration.parse(try Files.text(file), name: file)
        func lane(_ configuration: ReviewConfiguration, _ extent: ReviewConfiguration.Extent) throws -> BuildLane {
            BuildLane(
                name: configuration.name, directory: objects, configuration: configuration, extent: extent,
                request: try configuration.request(upon: request).text, checker: try? checker.get(), jobs: jobs)
        }
        guard let first = configurations.first else { throw RunnerError("\(file) names no configuration") }
        let plain = try lane(first, .files)
        var obstacle: RunnerError?
        if case .failure(let error) = checker { obstacle = error }
        let text: [any Gate] = [
            RoundTripGate("round-trip", .everyPatch, installation), CheckpatchGate(), SpellingGate(), KernelDocGate(),
            RoundTripGate("cover-letter", .wholeSeries, installation),
        ]
        let tools = ToolGate(directory: try cache.directory("kernel/review/tools"), jobs: jobs)
        let builds: [any Gate] = [
            BuildGate(name: "build", voices: [.compiler], lane: plain),
            BuildGate(name: "sparse", voices: [.checker], lane: plain, obstacle: obstacle),
            tools,
            BootGate(
                smoke: smoke, jobs: jobs, installation: installation, cache: cache, total: series.patches.count, note: note),
        ]
        let ends = try configurations.map { configuration in
            BuildGate(
                name: configuration.name, scope: .wholeSeries, voices: [.compiler, .checker],
                lane: try lane(configuration, .directories), obstacle: obstacle)
        }
        return text + builds + ends
    }
}
