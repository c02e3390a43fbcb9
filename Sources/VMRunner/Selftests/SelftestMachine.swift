// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import VMProtocol

/// Runs shards in machines with one kernel.
struct SelftestMachine: Sendable {
    var kernel: String
    var image: String
    var initramfs: Initramfs
    var accelerator: Accelerator
    /// The kernel's.
    var configuration: KernelConfiguration
    var rules: SplatRules

    /// A shard takes a minute or two by itself, and test_progs ends tests that hang; all of test_maps is one shard.
    private func limit(_ suite: SelftestSuite) -> Duration {
        .seconds(suite == .maps ? 5400 : 1500) * (configuration.hasCheckers ? 3 : 1)
    }

    private var machine: MachineConfiguration {
        let needs = KernelNeeds(configuration)
        var machine = MachineConfiguration(
            kernel: kernel, initramfs: initramfs.path, accelerator: accelerator, memoryMiB: needs.leastMemoryMiB)
        machine.disk = image
        machine.needs = needs
        return machine
    }

    /// Runs a shard to its end: a test that takes the machine or the program down with it is noted, and what comes after
    /// it is run in another machine.
    /// - Parameters:
    ///   - log: a file for everything that the machines said.
    ///   - note: takes words for the user, now and then.
    /// - Throws: `RunnerError`
    func run(_ shard: SelftestShard, log: String, note: @escaping (String) -> Void) throws -> SelftestResult {
        var result = SelftestResult()
        var rest = shard
        var words = ""
        while true {
            let part = try runOnce(rest, words: &words, note: note)
            result.add(part)
            // What was not run: test_progs goes through its tests in their order.
            let left = rest.items.filter { result.tests[$0] == nil }
            guard shard.suite.kind == .progs, !part.failures.isEmpty, let culprit = left.first else { break }
            result.tests[culprit] = .crashed
            rest.items = Array(left.dropFirst())
            if rest.items.isEmpty { break }
        }
        if shard.suite.kind == .progs {
            for item in shard.items where result.tests[item] == nil { result.tests[item] = .crashed }
        }
        try Files.write(words.utf8, to: log)
        return result
    }

    private func runOnce(
        _ shard: SelftestShard, words: inout String, note: @escaping (String) -> Void
    ) throws -> SelftestResult {
        var machine = machine
        machine.cpus = shard.cpus
        let directory = try Files.makeTemporaryDirectory()
        defer { Files.remove(directory) }
        let session: Session
        do {
            session = try Session.boot(machine, directory: directory, rules: rules, note: note)
        } catch let failure as Failure {
            throw RunnerError("the machine for \(shard.suite.rawValue) does not come up\n\(failure)")
        }
        let job = Job(
            id: "\(shard.suite.rawValue)-\(shard.number)", arguments: shard.arguments,
            environment: [
                "PATH=/usr/bin", "HOME=/root", "TERM=dumb", "LANG=C", "KBUILD_OUTPUT=\(SelftestImage.kernelDirectory)",
            ], directory: SelftestImage.directory, files: .disk, searchesForLeaks: configuration.hasCheckers)
        var reader = OutputReader(SelftestOutput(shard.suite.kind))
        var lastWord = ContinuousClock.now
        session.run(
            job, timeout: limit(shard.suite),
            streams: .init(output: { stream, bytes in
                reader.take(bytes, stream, kernelLines: session.evidence.kernelLog.count)
                guard ContinuousClock.now - lastWord > .seconds(60) else { return }
                lastWord = ContinuousClock.now
                note("\(reader.output.tests.count) tests so far, now: \(reader.lastLine)")
            }))
        session.shutDown()
        let failure = session.conclude()
        if let error = reader.error { throw error }
        words += "$ \(shard.arguments.joined(separator: " "))\n\(reader.text)\n"
        words += session.evidence.kernelLog.map { "  | \($0)\n" }.joined()
        if let failure { words += "\(failure)\n" }
        return result(of: shard, session: session, failure: failure, reader: reader)
    }

    private func result(
        of shard: SelftestShard, session: Session, failure: Failure?, reader: OutputReader
    ) -> SelftestResult {
        var result = SelftestResult()
        result.tests = reader.output.tests
        result.programs = reader.output.programs
        result.milliseconds = session.evidence.end?.milliseconds ?? 0
        result.splats = rules.scan(session.evidence.kernelLog).map { splat in
            SelftestSplat(line: splat.line, test: reader.marks.first { $0.kernelLines > splat.index }?.test)
        }
        // Splats are compared, whatever the machine is called for them; anything else ended it too early.
        if let failure, failure.kind != .splat {
            result.failures.append("\(failure.kind.rawValue): \(failure.reason)")
        } else if !reader.output.isComplete {
            let end = session.evidence.end.map { "exit code \($0.exitCode)" } ?? "no end"
            let last = reader.marks.last.map { " after \($0.test)" } ?? ""
            result.failures.append("\(shard.suite.rawValue) broke off\(last) (\(end))")
        }
        return result
    }
}

/// Puts a program's output together to lines.
private struct OutputReader {
    var output: SelftestOutput
    var text = ""
    /// How much the kernel had logged when a test was done.
    var marks: [(test: String, kernelLines: Int)] = []
    var error: RunnerError?
    private(set) var lastLine = ""
    private var line: [UInt8] = []

    init(_ output: SelftestOutput) { self.output = output }

    mutating func take(_ bytes: [UInt8], _ stream: GuestMessage.Stream, kernelLines: Int) {
        text += String(decoding: bytes, as: UTF8.self)
        guard stream == .output else { return }
        for byte in bytes {
            guard byte == UInt8(ascii: "\n") else {
                line.append(byte)
                continue
            }
            lastLine = String(decoding: line, as: UTF8.self)
            do throws(RunnerError) {
                if let test = try output.take(lastLine) { marks.append((test, kernelLines)) }
            } catch {
                self.error = self.error ?? error
            }
            line = []
        }
    }
}
