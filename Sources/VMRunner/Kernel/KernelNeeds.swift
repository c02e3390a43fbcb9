// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import SystemPackage

/// What machines with a kernel need more of than those with a plain one.
public struct KernelNeeds: Equatable, Sendable {
    /// Memory below which a machine has too little, in MiB.
    public var leastMemoryMiB = 0
    /// By how much deadlines grow, the kernel's own too: at most 3, for its `watchdog_thresh` takes 60 at most.
    public var slowness = 1
    /// By how much the deadlines of a boot grow.
    public var bootSlowness = 1
    /// More for the kernel's command line.
    public var kernelArguments: [String] = []

    public init() {}

    /// The needs of a configuration.
    public init(_ configuration: KernelConfiguration) {
        if configuration.isForSelftests { needSelftests() }
        if configuration.hasCheckers { needCheckers() }
    }

    private mutating func needSelftests() {
        leastMemoryMiB += 4096
        // Its lock checker makes it slow, and some tests hold locks for long on purpose.
        slowness = 3
        bootSlowness = 10
        kernelArguments.append("sysctl.kernel.unprivileged_bpf_disabled=0")
    }

    private mutating func needCheckers() {
        // An eighth of it is KASAN's shadow; the tables of lockdep and kmemleak, and what KASAN keeps from reuse, come on
        // top. Most of all, each BPF arena reserves 4 GiB of addresses, whose shadow is half a GiB of memory.
        leastMemoryMiB += 3072
        slowness = 3
        // Setting up its tables takes it seconds in which it says nothing, and minutes on a busy host.
        bootSlowness = 10
        kernelArguments += [
            // Constants in JITed code are blinded, for root's programs too: other instructions, and more of them.
            "sysctl.net.core.bpf_jit_harden=2",
            // Leaks are told in the log with what allocated them, not only counted.
            "kmemleak.verbose=1",
        ]
    }

    /// The needs of a kernel's image: one in the store is known by its configuration, any other is taken for plain.
    public init(image: String) {
        let directory = FilePath(image).removingLastComponent().string
        self.init(StoredKernel(directory: directory)?.variant.configuration ?? .plain)
    }
}
