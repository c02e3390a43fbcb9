// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLinuxSystem
import Glibc
import Synchronization
import VMProtocol

/// The machines of both kernels, and what is known from them already.
struct SelftestBench: Sendable {
    private let kernels: [StoredKernel]
    private let names: [String]
    private let machines: [SelftestMachine]
    private let programs: SelftestPrograms
    private let again: Bool
    private let cache: Cache
    private let note: @Sendable (String) -> Void

    init(
        kernels: [StoredKernel], names: [String], programs: SelftestPrograms, accelerator: Accelerator, agent: String?,
        again: Bool, installation: Installation, cache: Cache, note: @escaping @Sendable (String) -> Void
    ) throws {
        let rules = try SplatRules(deny: installation.splatDenyList, allow: installation.splatAllowList)
        let initramfs = try Initramfs.make(agent: try Installation.agent(agent), cache: cache)
        machines = try kernels.map { kernel in
            let image = try SelftestImage.make(programs, kernel: kernel, installation: installation, cache: cache)
            return SelftestMachine(
                kernel: kernel.image, image: image.path, initramfs: initramfs, accelerator: accelerator,
                configuration: kernel.variant.configuration, rules: rules)
        }
        self.kernels = kernels
        self.names = names
        self.programs = programs
        self.again = again
        self.cache = cache
        self.note = note
    }

    /// Runs shards, as many machines at a time as there are cores for their CPUs.
    /// - Parameter chosen: the kernels, by their index.
    /// - Returns: for each shard its results, in the order of the kernels chosen.
    /// - Throws: `RunnerError`
    func results(of shards: [SelftestShard], on chosen: [Int], jobs: Int?) throws -> [[SelftestResult]] {
        let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        var results = shards.map { _ in chosen.map { _ in SelftestResult() } }
        for cpus in Set(shards.map(\.cpus)).sorted() {
            // The last shards of test_progs are, by their names, those about the verifier: what says most comes first.
            let order = shards.indices.sorted { a, b in
                shards[a].suite == shards[b].suite ? a > b : a < b
            }
            let work = order.filter { shards[$0].cpus == cpus }.flatMap { shard in
                chosen.indices.map { (shard: shard, kernel: $0) }
            }
            let done = try inParallel(work, workers: max(1, min(jobs ?? cores, cores) / cpus)) { item in
                try self.result(of: shards[item.shard], on: chosen[item.kernel])
            }
            for (item, result) in zip(work, done) { results[item.shard][item.kernel] = result }
        }
        return results
    }

    /// Whether it is known what a shard comes to on a kernel.
    func knows(_ shard: SelftestShard, on index: Int) throws -> Bool { try known(shard, on: index) != nil }

    private func known(_ shard: SelftestShard, on index: Int) throws -> SelftestResult? {
        guard !again, let text = try? Files.text("\(try place(of: shard, on: index)).json"),
            let json = try? JSON(parsing: Array(text.utf8))
        else { return nil }
        return SelftestResult(json)
    }

    /// Where it is kept, without the suffix.
    private func place(of shard: SelftestShard, on index: Int) throws -> String {
        let name = try Digest.of("\(kernels[index].id)\n\(programs.id)\n\(shard.description)")
        return "\(try cache.directory("selftests/results"))/\(name)"
    }

    /// What a shard comes to, from the cache if it has run with the same kernel, programs and command before.
    private func result(of shard: SelftestShard, on index: Int) throws -> SelftestResult {
        let path = try place(of: shard, on: index)
        let name = "\(shard.suite.rawValue) \(shard.number), \(names[index])"
        if let known = try known(shard, on: index) {
            note("\(name): \(known.summary) (known)")
            return known
        }
        let result = try machines[index].run(shard, log: "\(path).log", note: { note("\(name): \($0)") })
        try Files.write(result.json.description.utf8, to: "\(path).json")
        note("\(name): \(result.summary); log: \(path).log")
        for failure in result.failures { note("\(name): \(failure)") }
        return result
    }
}

extension SelftestResult {
    /// One line about it.
    var summary: String {
        let counts =
            programs.isEmpty
            ? "\(count(.passed)) passed, \(count(.failed) + count(.crashed)) failed, \(count(.skipped)) skipped"
            : "\(programs.count) programs"
        let splats = splats.isEmpty ? "" : ", \(self.splats.count) lines of trouble in the kernel's log"
        return "\(counts)\(splats) (\((milliseconds + 500) / 1000) s)"
    }
}

/// Calls `body` for every item, on so many threads.
/// - Returns: what it gave, in the order of the items.
/// - Throws: the first error; no further item is begun after it.
private func inParallel<Item: Sendable, Value: Sendable>(
    _ items: [Item], workers: Int, _ body: @escaping @Sendable (Item) throws -> Value
) throws -> [Value] {
    let state = Mutex((next: 0, done: [Int: Value](), error: (any Error)?.none))
    onThreads(min(items.count, workers)) {
        while let index = state.withLock({ state -> Int? in
            guard state.error == nil, state.next < items.count else { return nil }
            state.next += 1
            return state.next - 1
        }) {
            do {
                let value = try body(items[index])
                state.withLock { $0.done[index] = value }
            } catch {
                state.withLock { $0.error = $0.error ?? error }
            }
        }
    }
    return try state.withLock { state in
        if let error = state.error { throw error }
        return items.indices.compactMap { state.done[$0] }
    }
}
