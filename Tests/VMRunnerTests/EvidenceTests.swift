// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Testing
import VMProtocol

@testable import VMRunner

/// Which failure follows from what is known about a machine.
@Suite struct EvidenceTests {
    static let rules = try! SplatRules(
        denyText: "match: ^WARNING:\nreason: a check failed\n\nmatch: Kernel panic\nreason: gave up\n", allowText: "")

    /// What a machine says that does well.
    static let good: [Machine.Event] = [
        .message(.hello(version: VMProtocol.version, kernel: "7.3", bootMilliseconds: 1), sequence: 0),
        .message(.start(id: "x"), sequence: 1),
        .message(.end(JobEnd(id: "x", status: .exited(0), milliseconds: 1, taintBefore: 0, taintAfter: 0)), sequence: 2),
        .message(.bye, sequence: 3),
        .monitor(["event": "SHUTDOWN", "data": ["guest": true, "reason": "guest-reset"]]),
        .exited(.exited(0)),
    ]

    func failure(
        _ events: [Machine.Event], console: [String] = [], expired: Evidence.Deadline? = nil
    ) -> Failure? {
        var evidence = Evidence()
        for event in events { evidence.observe(event) }
        evidence.expired = expired
        return evidence.failure(console: console, rules: Self.rules)
    }

    @Test func nothingMissingIsNoFailure() {
        #expect(failure(Self.good, console: ["[    0.1] fine"]) == nil)
    }

    @Test func silenceIsBoot() {
        #expect(failure([.exited(.exited(0))])?.kind == .boot)
        #expect(failure([], expired: .boot)?.kind == .boot)
    }

    @Test func panicBeforeHelloIsBootAndSaysWhy() {
        let failure = failure([.exited(.exited(0))], console: ["[ 1.0] Kernel panic - not syncing: No init"])
        #expect(failure?.kind == .boot)
        #expect(failure?.reason == "Kernel panic - not syncing: No init")
    }

    @Test func panicIsSeenByTheMonitorAlone() {
        let failure = failure(Array(Self.good[..<2]) + [.monitor(["event": "GUEST_PANICKED"]), .exited(.exited(0))])
        #expect(failure?.kind == .panic)
    }

    @Test func panicIsSeenOnTheConsoleAlone() {
        let failure = failure(
            Array(Self.good[..<2]) + [.exited(.exited(0))], console: ["x", "[ 2.0] Kernel panic - not syncing: Fatal"])
        #expect(failure?.kind == .panic)
        #expect(failure?.excerpt == ["[ 2.0] Kernel panic - not syncing: Fatal"])
    }

    @Test func panicAfterTheEndRecordCounts() {
        let events = Array(Self.good[..<3]) + [.monitor(["event": "GUEST_PANICKED"]), .exited(.exited(0))]
        #expect(failure(events)?.kind == .panic)
    }

    @Test func deadlineIsHangEvenIfTheInjectedNMIPanics() {
        let events = Array(Self.good[..<2]) + [.monitor(["event": "GUEST_PANICKED"]), .exited(.signalled(9))]
        #expect(failure(events, expired: .command)?.kind == .hang)
        #expect(failure(Array(Self.good[..<3]), expired: .shutdown)?.kind == .hang)
    }

    @Test func endingWithoutEndRecordIsLost() {
        #expect(failure(Array(Self.good[..<2]) + [.exited(.signalled(9))])?.kind == .lost)
    }

    @Test func endingWithoutGoodbyeIsLost() {
        #expect(failure(Array(Self.good[..<3]) + [.exited(.exited(0))])?.kind == .lost)
    }

    @Test func damagedRecordsAreLost() {
        #expect(failure(Array(Self.good[..<2]) + [.damage("a record that breaks off")])?.kind == .lost)
    }

    @Test func missingRecordsAreLost() {
        var events = Self.good
        events.remove(at: 1)
        #expect(failure(events)?.kind == .lost)
    }

    @Test func anotherProtocolIsLost() {
        var events = Self.good
        events[0] = .message(.hello(version: 0, kernel: "7.3", bootMilliseconds: 1), sequence: 0)
        #expect(failure(events)?.kind == .lost)
    }

    @Test func deniedLineIsSplat() {
        let failure = failure(Self.good, console: ["[ 1.0] WARNING: CPU: 0", "[ 1.1] trace"])
        #expect(failure?.kind == .splat)
        #expect(failure?.excerpt == ["[ 1.0] WARNING: CPU: 0", "[ 1.1] trace"])
    }

    @Test func deniedRecordOfTheKernelLogIsSplat() {
        var events = Self.good
        events.insert(.message(.kernel(level: 4, text: "WARNING: x"), sequence: 2), at: 2)
        events[3] = .message(
            .end(JobEnd(id: "x", status: .exited(0), milliseconds: 1, taintBefore: 0, taintAfter: 0)), sequence: 3)
        events[4] = .message(.bye, sequence: 4)
        #expect(failure(events)?.kind == .splat)
    }

    @Test func newTaintIsSplat() {
        var events = Self.good
        events[2] = .message(
            .end(JobEnd(id: "x", status: .exited(0), milliseconds: 1, taintBefore: 0, taintAfter: 512)), sequence: 2)
        #expect(failure(events)?.kind == .splat)
    }

    @Test func everyKindHasItsOwnExitCode() {
        let codes = FailureKind.allCases.map(\.exitCode)
        #expect(Set(codes).count == codes.count)
        #expect(codes.allSatisfy { $0 > 165 && $0 < 256 })
    }
}
