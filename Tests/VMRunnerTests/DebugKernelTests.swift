// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import SystemPackage
import Testing
import VMProtocol

@testable import VMRunner

/// What the kernel's own checkers report must be noticed, and nothing else: on a debug kernel
/// (`bpflink-vm kernel build --config debug`), named by the environment variable BPFLINK_TEST_DEBUG_KERNEL; without it
/// the whole suite is shown as skipped.
@Suite(.serialized, .enabled(if: TestKernel.debug != nil, TestKernel.debugHint))
struct DebugKernelTests {
    let machine = TestMachine(kernel: TestKernel.debug)

    @Test func aCommandThatDoesNoHarmIsWell() throws {
        let outcome = try machine.run("cat /proc/sys/net/core/bpf_jit_harden", searchesForLeaks: true)
        #expect(outcome.failure == nil)
        #expect(outcome.end?.status == .exited(0))
        #expect(outcome.output == "2\n")
    }

    @Test(arguments: [
        ("READ_AFTER_FREE", "KASAN: slab-use-after-free"), ("SLAB_LINEAR_OVERFLOW", "KASAN: slab-out-of-bounds"),
        ("ARRAY_BOUNDS", "UBSAN: array-index-out-of-bounds"), ("SPINLOCKUP", "lock held when returning to user space"),
    ])
    func whatACheckerReportsIsASplat(_ fault: String, _ report: String) throws {
        let outcome = try machine.provoke(fault)
        #expect(outcome.failure?.kind == .splat)
        #expect(outcome.failure?.excerpt.contains { $0.contains(report) } == true)
    }

    @Test func aListThatIsCorruptedIsFatal() throws {
        let outcome = try machine.provoke("CORRUPT_LIST_ADD")
        #expect(outcome.failure?.kind == .panic)
        #expect(outcome.failure?.excerpt.contains { $0.contains("list_add corruption") } == true)
    }

    /// The kernel's own module that leaks on purpose, told of with who allocated the memory. What of the module did is not known any
    /// more when the search comes.
    @Test(arguments: [true, false])
    func aLeakIsFoundIfItIsSearchedFor(_ searches: Bool) throws {
        let directory = FilePath(try Files.resolve(try #require(TestKernel.debug))).removingLastComponent()
        // finit_module(2)
        let insert = """
            perl -e 'open(my $m, "<", $ARGV[0]) or die; syscall(313, fileno($m), my $none = "", 0) == 0 or die $!' \
              \(directory)/modules/kmemleak-test.ko
            """
        // The module's list is leaked with the module: 176 is delete_module(2).
        let remove = "perl -e 'syscall(176, my $name = \"kmemleak_test\", 0) == 0 or die $!'"
        let outcome = try machine.run("\(insert) && \(remove)", searchesForLeaks: searches)
        #expect(outcome.end?.status == .exited(0))
        #expect(outcome.errors.isEmpty)
        let told = outcome.failure?.excerpt ?? []
        #expect(outcome.failure?.kind == (searches ? .splat : nil))
        #expect(told.contains { $0.contains("unreferenced object") } == searches)
        #expect(told.contains { $0.contains("comm \"perl\"") } == searches)
    }
}

/// A search for leaks that cannot be made has found nothing out.
@Suite(.serialized, .enabled(if: TestKernel.plain != nil, TestKernel.hint))
struct LeakSearchTests {
    @Test func aKernelThatCannotSearchDoesNotRunTheCommand() throws {
        let outcome = try TestMachine(kernel: TestKernel.plain).run("echo ran", searchesForLeaks: true)
        #expect(outcome.end?.exitCode == 126 || outcome.end?.exitCode == 127)
        #expect(outcome.output.isEmpty)
        guard case .notStarted(_, let reason) = outcome.end?.status else {
            Issue.record("it was started")
            return
        }
        #expect(reason.hasPrefix("search for leaks (/sys/kernel/debug/kmemleak)"))
    }
}
