// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import VMProtocol

/// One machine from its boot to its end, with everything that is learnt about it on the way.
final class Session {
    /// The runner's own deadlines, for KVM and a plain kernel; the configuration's patience multiplies them.
    struct Limits: Sendable {
        /// A boot that writes nothing to its console for so long hangs.
        var bootSilence = Duration.seconds(5)
        var boot = Duration.seconds(20)
        var shutdown = Duration.seconds(5)
        /// What a guest gets to write its trace after an NMI or a panic.
        var lastWords = Duration.seconds(2)
    }

    let machine: Machine
    private(set) var evidence: Evidence
    private let rules: SplatRules
    private let limits: Limits

    private init(machine: Machine, evidence: Evidence, rules: SplatRules, limits: Limits) {
        self.machine = machine
        self.evidence = evidence
        self.rules = rules
        self.limits = limits
    }

    /// Boots a machine. A guest that hangs before its agent speaks is tried again; one that panics is not.
    /// - Parameters:
    ///   - attempts: how often to try in all.
    ///   - note: takes words for the user.
    /// - Throws: `Failure` of kind BOOT, or `RunnerError` if QEMU does not start.
    static func boot(
        _ configuration: MachineConfiguration, directory: String, rules: SplatRules,
        limits: Limits = Limits(), attempts: Int = 3, note: (String) -> Void
    ) throws -> Session {
        // Who keeps the cache small (Cache.prune) sees that it is in use: a run can take longer than others make new ones.
        utimes(configuration.initramfs, nil)
        var attempt = 1
        while true {
            let session = Session(
                machine: try Machine(configuration, directory: directory), evidence: Evidence(),
                rules: rules, limits: limits)
            guard let failure = try session.awaitHello() else { return session }
            guard session.evidence.expired != nil, attempt < attempts else { throw failure }
            attempt += 1
            note("the guest hangs before its agent starts; boot attempt \(attempt) of \(attempts)")
        }
    }

    /// Continues a machine from a snapshot.
    static func restore(
        _ configuration: MachineConfiguration, directory: String, snapshot: Snapshot, rules: SplatRules,
        limits: Limits = Limits()
    ) throws(RunnerError) -> Session {
        snapshot.noteUse()
        var evidence = Evidence(nextSequence: snapshot.nextSequence)
        evidence.kernelRelease = snapshot.kernelRelease
        var configuration = configuration
        configuration.memory = .copy(of: snapshot.memoryPath)
        let machine = try Machine(configuration, directory: directory, awaitsState: true)
        machine.execute("migrate-set-capabilities", ["capabilities": [Session.withoutMemory]])
        machine.execute("migrate-incoming", ["uri": .string("exec:exec cat \(shellQuoted(snapshot.statePath))")])
        return Session(machine: machine, evidence: evidence, rules: rules, limits: limits)
    }

    /// What has gone wrong up to now, in a machine that is to live on.
    func failureSoFar() -> Failure? {
        var sofar = evidence
        sofar.expectsBye = false
        return sofar.failure(console: machine.console(), rules: rules)
    }

    /// A saved state is without the memory, which is a file already.
    private static let withoutMemory: JSON = ["capability": "x-ignore-shared", "state": true]

    /// Writes the state of a machine, whose memory is a file, to another file and ends the machine.
    /// The machine runs on while it is saved: it idles, and so the saved state says "running" and needs no
    /// command to go on.
    func save(to path: String) throws(RunnerError) {
        machine.execute(
            "migrate-set-capabilities", ["capabilities": [["capability": "events", "state": true], Session.withoutMemory]])
        // As fast as the disk takes it.
        machine.execute("migrate-set-parameters", ["max-bandwidth": .integer(1 << 40)])
        let part = shellQuoted("\(path).part")
        machine.execute("migrate", ["uri": .string("exec:cat > \(part) && mv \(part) \(shellQuoted(path))")])
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            let event = machine.next(until: deadline)
            evidence.observe(event)
            guard event != .deadline, evidence.exit == nil else {
                throw RunnerError("QEMU did not finish the snapshot")
            }
            guard case .monitor(let json) = event else { continue }
            if let error = json["error"] { throw RunnerError("QEMU refuses the snapshot: \(error)") }
            if let error = json["return"]?["error-desc"]?.stringValue { throw RunnerError("QEMU: \(error)") }
            guard json["event"] == "MIGRATION" else { continue }
            switch json["data"]?["status"]?.stringValue {
            case "completed": return try awaitFile(path, until: deadline)
            case "failed": machine.execute("query-migrate")
            default: break
            }
        }
    }

    /// QEMU has said everything, the program that writes it to the file may still be at it.
    private func awaitFile(_ path: String, until deadline: ContinuousClock.Instant) throws(RunnerError) {
        while !Files.exists(path) {
            guard ContinuousClock.now < deadline else { throw RunnerError("cannot write \(path)") }
            evidence.observe(machine.next(until: ContinuousClock.now + .milliseconds(5)))
        }
        machine.kill()
    }

    private func patient(_ limit: Duration) -> Duration { limit * machine.configuration.patience }

    /// Nil when the agent has said hello.
    private func awaitHello() throws -> Failure? {
        let waitsForDebugger = machine.configuration.debuggerSocket != nil
        let patience = machine.configuration.accelerator.patience * machine.configuration.needs.bootSlowness
        let limit = ContinuousClock.now + (waitsForDebugger ? .seconds(86400) : limits.boot * patience)
        var size = 0
        var lastGrowth = ContinuousClock.now
        while evidence.kernelRelease == nil && evidence.exit == nil && evidence.damage == nil {
            let now = ContinuousClock.now
            if machine.consoleSize > size || waitsForDebugger {
                size = machine.consoleSize
                lastGrowth = now
            }
            if now > limit || now > lastGrowth + limits.bootSilence * patience {
                expire(.boot)
                break
            }
            evidence.observe(machine.next(until: min(limit, now + .milliseconds(250))))
        }
        if evidence.kernelRelease != nil && evidence.damage == nil { return nil }
        if let exit = evidence.exit, exit != .exited(0), case .exited = exit {
            let words = (try? Files.text(machine.qemuLogPath)) ?? ""
            throw RunnerError("QEMU did not start (\(Tool.describe(exit)))\n\(words)")
        }
        return conclude()
    }

    /// What to do with what a job says, and where its input comes from.
    struct Streams {
        var output: (GuestMessage.Stream, [UInt8]) -> Void
        /// Called when one of `descriptors` can be read; gives what to tell the guest.
        var descriptors: () -> [Int32] = { [] }
        var readable: (Int32) -> [HostMessage] = { _ in [] }
        /// Called when the command has taken so many bytes of its input.
        var inputTaken: (Int) -> Void = { _ in }
        /// True to give the machine up.
        var isCancelled: () -> Bool = { false }
    }

    /// Before one more job.
    func forgetEnd() { evidence.end = nil }

    /// Sends a job and follows it to its end record, its machine's end, or its deadline.
    func run(_ job: Job, timeout: Duration?, streams: Streams) {
        machine.send(.job(job))
        var deadline = timeout.map { ContinuousClock.now + $0 } ?? ContinuousClock.now + .seconds(86400 * 365)
        var panicSeen = false
        while evidence.end == nil && evidence.exit == nil && evidence.damage == nil && !streams.isCancelled() {
            let event = machine.next(until: deadline, watching: streams.descriptors())
            evidence.observe(event)
            switch event {
            case .message(.output(let stream, let bytes), _): streams.output(stream, bytes)
            case .message(.inputTaken(let count), _): streams.inputTaken(count)
            case .readable(let descriptor):
                for message in streams.readable(descriptor) { machine.send(message) }
            case .deadline:
                if panicSeen { return machine.kill() }
                return expire(.command)
            default: break
            }
            if evidence.panicked && !panicSeen {
                // A panicked guest resets by itself once its trace is out; one that cannot has no more to say.
                panicSeen = true
                deadline = ContinuousClock.now + patient(limits.lastWords)
            }
        }
    }

    /// Asks the agent to end the machine and waits until it has.
    /// - Parameter awaitsExit: false to be content with the agent's goodbye: the rest of the way down teaches nothing
    ///   about a job that was alone in its machine, and takes as long as some jobs do.
    func shutDown(awaitsExit: Bool = true) {
        guard evidence.exit == nil && evidence.expired == nil && evidence.damage == nil else { return }
        machine.send(.quit)
        let deadline = ContinuousClock.now + patient(limits.shutdown)
        while evidence.exit == nil && evidence.damage == nil {
            let event = machine.next(until: deadline)
            if event == .deadline { return expire(.shutdown) }
            evidence.observe(event)
            if evidence.saidBye && !awaitsExit { return machine.kill() }
        }
    }

    /// A deadline has passed: gets the guest to say where it is. First its agent is asked, then an NMI makes the
    /// kernel panic with a trace of the CPU that is stuck.
    private func expire(_ deadline: Evidence.Deadline) {
        evidence.consoleAtExpiry = machine.consoleSize
        evidence.expired = deadline
        if deadline != .boot {
            machine.send(.explain)
            drain(for: .milliseconds(300))
        }
        machine.execute("inject-nmi")
        drain(for: patient(limits.lastWords))
        machine.kill()
    }

    private func drain(for duration: Duration) {
        let deadline = ContinuousClock.now + duration
        while evidence.exit == nil {
            let event = machine.next(until: deadline)
            if event == .deadline { return }
            evidence.observe(event)
        }
    }

    /// Ends the machine, whatever it does, and names the failure, if there is one.
    func conclude(expectsEnd: Bool = true, expectsBye: Bool = true) -> Failure? {
        if evidence.exit == nil {
            if evidence.damage != nil || evidence.expired != nil || !expectsBye { machine.kill() }
            drain(for: patient(limits.shutdown))
            machine.kill()
        }
        evidence.expectsEnd = expectsEnd
        evidence.expectsBye = expectsBye
        var failure = evidence.failure(console: machine.console(), rules: rules)
        if evidence.expired != nil, failure?.excerpt.isEmpty ?? false {
            failure?.excerpt = Array(machine.console(from: evidence.consoleAtExpiry).prefix(80))
        }
        if failure?.kind == .lost, let words = try? Files.text(machine.qemuLogPath), !words.isEmpty {
            failure?.excerpt += words.split(separator: "\n").suffix(10).map { "QEMU: \($0)" }
        }
        return failure
    }
}
