// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Testing

@testable import VMRunner

@Suite struct SplatRulesTests {
    static let root = String(#filePath.dropLast("/Tests/VMRunnerTests/SplatRulesTests.swift".count))
    static let installation = Installation(root: root)

    static func shipped() throws -> SplatRules {
        try SplatRules(deny: installation.splatDenyList, allow: installation.splatAllowList)
    }

    @Test(arguments: [
        "[    3.151204] Kernel panic - not syncing: sysrq triggered crash",
        "[    1.0][    T1] WARNING: CPU: 0 PID: 1 at kernel/bpf/verifier.c:1 f+0x1/0x2",
        "[    1.0] BUG: unable to handle page fault for address: 0000000000000010",
        "[    1.0] kernel BUG at drivers/misc/lkdtm/bugs.c:76!",
        "[    1.0] Oops: 0002 [#1] SMP NOPTI", "[    1.0] Oops: general protection fault, 0000 [#1]",
        "[    1.0] general protection fault, probably for non-canonical address",
        "[    1.0] ------------[ cut here ]------------", "[    1.0] UBSAN: array-index-out-of-bounds in kernel/x.c:1",
        "[   41.0] watchdog: BUG: soft lockup - CPU#0 stuck for 41s! [sh:40]",
        "[   41.0] watchdog: CPU0: Watchdog detected hard LOCKUP on cpu 0",
        "[   61.0] INFO: task sh:40 blocked for more than 60 seconds.",
        "[   31.0] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
        "[   31.0] rcu: INFO: rcu_preempt self-detected stall on CPU", "[    1.0] refcount_t: underflow; use-after-free.",
        "[    1.0] unreferenced object 0xffff888003a2c000 (size 64):",
        "[    1.0] WARNING: possible circular locking dependency detected",
        "[    9.0] sh invoked oom-killer: gfp_mask=0xcc0",
    ])
    func shippedListsDeny(_ line: String) throws {
        #expect(try Self.shipped().scan(["fine", line, "fine"]).map(\.index) == [1])
    }

    @Test(arguments: [
        "[    0.0] Linux version 7.3.4 (bpflink@bpflink) (gcc) #1", "[    0.5] ACPI: button: Power Button [PWRF]",
        "[    2.1] overlayfs: failed to set xattr on upper", "[    1.0] bpflink-vm: start WARNING",
        "[    0.1] debug: BUG tracker at example", "[    0.3] Spectre V2 : WARNING-free",
    ])
    func shippedListsLetPass(_ line: String) throws {
        #expect(try Self.shipped().scan([line]).isEmpty)
    }

    @Test func anAllowedLinePassesUntilItsDay() throws {
        let rules = try SplatRules(
            denyText: "match: ^WARNING:\nreason: r\n", allowText: "match: at foo\nreason: known\nuntil: 2030-01-31\n")
        let lines = ["WARNING: at foo", "WARNING: at bar"]
        #expect(rules.scan(lines, today: "2030-01-31").map(\.index) == [1])
        #expect(rules.scan(lines, today: "2030-02-01").map(\.index) == [0, 1])
    }

    @Test(arguments: [
        "match: x\n", "reason: x\n", "match: (\nreason: x\n", "match: x\nmatch: y\nreason: z\n", "what: x\n", "nothing\n",
        "match: x\nreason: y\nuntil: 2030-01-01\n",
    ])
    func refusesAMalformedDenyList(_ text: String) {
        #expect(throws: RunnerError.self) { try SplatRules(denyText: text, allowText: "") }
    }

    @Test(arguments: ["match: x\nreason: y\n", "match: x\nreason: y\nuntil: soon\n"])
    func refusesAnAllowanceWithoutEnd(_ text: String) {
        #expect(throws: RunnerError.self) { try SplatRules(denyText: "", allowText: text) }
    }

    @Test func refusesAListThatIsNotThere() {
        #expect(throws: RunnerError.self) {
            try SplatRules(deny: "/nonexistent/deny", allow: Self.installation.splatAllowList)
        }
        #expect(throws: RunnerError.self) {
            try SplatRules(deny: Self.installation.splatDenyList, allow: "/nonexistent/allow")
        }
    }

    @Test func refusesADenyListThatDeniesNothing() {
        #expect(throws: RunnerError.self) { try SplatRules(deny: "/dev/null", allow: "/dev/null") }
    }

    @Test func today() {
        let date = SplatRules.currentDate()
        #expect(date.utf8.count == 10 && date > "2026-01-01" && date < "2200-01-01")
    }
}
