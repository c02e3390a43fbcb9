// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import VMProtocol

/// How a guest failed. Every failure has exactly one of these names.
public enum FailureKind: String, Sendable, CaseIterable {
    /// The guest did not come up: no word from its agent.
    case boot = "BOOT"
    /// The kernel panicked: an oops, a BUG, a lockup that its watchdogs saw.
    case panic = "PANIC"
    /// The kernel reported a fault and went on: a WARN, a sanitizer's or lock checker's report, a new taint.
    case splat = "SPLAT"
    /// Something did not end before its deadline.
    case hang = "HANG"
    /// The guest or QEMU went away, or what it said is damaged, and nothing tells why.
    case lost = "LOST"

    /// The exit code of `bpflink-vm` for this failure: above those that commands use, below those for signals' 255.
    public var exitCode: Int32 {
        switch self {
        case .boot: 240
        case .panic: 241
        case .splat: 242
        case .hang: 243
        case .lost: 244
        }
    }
}

/// A named failure of the guest, why it was given that name, and what the console showed.
public struct Failure: Error, Equatable, Sendable, CustomStringConvertible {
    public var kind: FailureKind
    public var reason: String
    /// The lines of the console that matter.
    public var excerpt: [String]

    public var description: String {
        (["\(kind.rawValue): \(reason)"] + excerpt.map { "  | \($0)" }).joined(separator: "\n")
    }
}

/// Everything that is known about a machine's life. A good verdict needs positive evidence: QEMU's own exit code is
/// 0 for a guest that panicked.
struct Evidence: Sendable {
    enum Deadline: String, Sendable { case boot, command, shutdown }

    var kernelRelease: String?
    var bootMilliseconds = 0
    /// The job's end record, and whether one is owed.
    var end: JobEnd?
    var expectsEnd = true
    var saidBye = false
    /// A machine that is put away after its job need not say goodbye.
    var expectsBye = true
    var panicked = false
    var shutdownReason: String?
    var exit: ChildProcess.End?
    var expired: Deadline?
    var damage: String?
    /// The kernel's log during the job, as the agent forwarded it.
    var kernelLog: [String] = []
    /// The console's size when the deadline expired.
    var consoleAtExpiry = 0
    /// The number that the agent's next record must have.
    private(set) var nextSequence: Int

    /// - Parameter nextSequence: the number of the first record that is to come.
    init(nextSequence: Int = 0) { self.nextSequence = nextSequence }

    mutating func observe(_ event: Machine.Event) {
        switch event {
        case .message(let message, let sequence):
            if sequence != nextSequence && damage == nil {
                damage = "record \(sequence) came where \(nextSequence) was due"
            }
            nextSequence = sequence + 1
            observe(message)
        case .damage(let reason): damage = damage ?? reason
        case .monitor(let json):
            switch json["event"]?.stringValue {
            case "GUEST_PANICKED", "GUEST_CRASHLOADED": panicked = true
            case "SHUTDOWN": shutdownReason = json["data"]?["reason"]?.stringValue
            default: break
            }
        case .exited(let end): exit = end
        case .readable, .deadline: break
        }
    }

    private mutating func observe(_ message: GuestMessage) {
        switch message {
        case .hello(let version, let kernel, let milliseconds):
            kernelRelease = kernel
            bootMilliseconds = milliseconds
            if version != VMProtocol.version {
                damage = "the agent speaks version \(version) of the protocol, the runner \(VMProtocol.version)"
            }
        case .kernel(_, let text): kernelLog.append(text)
        case .end(let end): self.end = end
        case .bye: saidBye = true
        case .start, .output, .inputTaken: break
        }
    }

    /// The failure, if there is one. Exactly one rule names it: the first that applies.
    /// - Parameter console: the console's lines.
    func failure(console: [String], rules: SplatRules) -> Failure? {
        let panic = console.firstIndex { $0.contains("Kernel panic - not syncing") }
        let splats = rules.scan(console)
        let fromSplat = (splats.first?.index).map { Array(console[$0...].prefix(60)) }

        guard kernelRelease != nil else {
            if expired != nil {
                return Failure(
                    kind: .boot, reason: "the guest did not come up in time", excerpt: Array(console.suffix(60)))
            }
            if let panic {
                let head = max(0, min(splats.first?.index ?? panic, panic) - 5)
                return Failure(
                    kind: .boot, reason: SplatRules.message(console[panic]), excerpt: Array(console[head...].prefix(40)))
            }
            return Failure(
                kind: .boot, reason: "QEMU ended before the guest came up (\(exitWords))",
                excerpt: Array(console.suffix(20)))
        }
        if let expired {
            let reason = "the \(expired == .shutdown ? "machine's shutdown" : "command") did not end in time"
            return Failure(kind: .hang, reason: reason, excerpt: [])
        }
        if panicked || panic != nil {
            let words = panic.map { SplatRules.message(console[$0]) } ?? "the kernel panicked without words"
            return Failure(kind: .panic, reason: words, excerpt: fromSplat ?? Array(console.suffix(40)))
        }
        if let damage {
            return Failure(
                kind: .lost, reason: "the agent's records are damaged: \(damage)", excerpt: Array(console.suffix(20)))
        }
        if expectsEnd && end == nil {
            return Failure(
                kind: .lost, reason: "the machine ended before the command did (\(exitWords))",
                excerpt: Array(console.suffix(20)))
        }
        if let splat = splats.first {
            return Failure(kind: .splat, reason: "\(splat.line) (\(splat.reason))", excerpt: fromSplat ?? [])
        }
        if let splat = rules.scan(kernelLog).first {
            return Failure(
                kind: .splat, reason: "\(splat.line) (\(splat.reason))",
                excerpt: Array(kernelLog[splat.index...].prefix(60)))
        }
        if let end, end.taintAfter != end.taintBefore {
            return Failure(
                kind: .splat, reason: "the kernel's taint went from \(end.taintBefore) to \(end.taintAfter)",
                excerpt: Array(kernelLog.suffix(20)))
        }
        if expectsBye && !saidBye {
            return Failure(
                kind: .lost, reason: "the machine ended without the agent's goodbye (\(exitWords))",
                excerpt: Array(console.suffix(20)))
        }
        return nil
    }

    private var exitWords: String {
        let exit = exit.map { "QEMU ended with \(Tool.describe($0))" } ?? "QEMU still ran"
        return shutdownReason.map { "\(exit), shut down by \($0)" } ?? exit
    }
}
