// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import SystemPackage

/// Finds out who can execute guests on this host, by having a tiny guest executed: that KVM's device can be opened
/// proves nothing, because the host may itself be a guest whose KVM runs only special kernels.
public struct AcceleratorProbe: Sendable {
    /// What was found out, and from what.
    public struct Finding: Sendable {
        public var accelerator: Accelerator
        public var reason: String
    }

    /// The kernel for the tiny guest.
    let kernel: String
    let agent: String?
    let installation: Installation
    let cache: Cache

    /// A KVM guest that lives takes a fraction of a second to boot.
    private static let limits = Session.Limits(bootSilence: .seconds(4), boot: .seconds(10))

    public init(kernel: String, agent: String?, installation: Installation, cache: Cache) {
        self.kernel = kernel
        self.agent = agent
        self.installation = installation
        self.cache = cache
    }

    /// What is known about this host, or what a probe finds.
    /// - Parameters:
    ///   - again: probe even if it is known.
    ///   - note: takes words for the user.
    /// - Throws: `RunnerError`
    public func finding(again: Bool = false, note: (String) -> Void) throws -> Finding {
        if let reason = whyDeviceIsUnusable() { return Finding(accelerator: .tcg, reason: reason) }
        let memory = "\(try cache.directory("accelerator"))/\(try Digest.of(try hostDescription()))"
        if !again, let text = try? Files.text(memory), let finding = AcceleratorProbe.parse(text) { return finding }
        note("finding out whether KVM runs guests here (once; at most 10 s)")
        guard let failure = try tryGuest(.kvm) else {
            return try remember(Finding(accelerator: .kvm, reason: "a guest ran"), in: memory)
        }
        let finding = Finding(accelerator: .tcg, reason: "KVM did not run a guest: \(failure)")
        // If it does not run without KVM either, the kernel is to blame, and nothing was found out about KVM.
        return try tryGuest(.tcg) == nil ? remember(finding, in: memory) : finding
    }

    private func remember(_ finding: Finding, in memory: String) throws -> Finding {
        try Files.write("\(finding.accelerator.rawValue) \(finding.reason)".utf8, to: memory)
        return finding
    }

    static func parse(_ text: String) -> Finding? {
        let parts = text.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, let accelerator = Accelerator(rawValue: String(parts[0])) else { return nil }
        return Finding(accelerator: accelerator, reason: String(parts[1]))
    }

    private func whyDeviceIsUnusable() -> String? {
        let device = open("/dev/kvm", O_RDWR | O_CLOEXEC)
        if device < 0 { return "/dev/kvm: \(Errno(rawValue: errno))" }
        close(device)
        return nil
    }

    /// What the answer depends on: host kernel, processor, KVM's modules, QEMU.
    private func hostDescription() throws -> String {
        let processor = try Files.text("/proc/cpuinfo").split(separator: "\n").first { $0.hasPrefix("model name") }
        let modules = try Files.list("/sys/module").filter { $0.hasPrefix("kvm") }
        return [
            try Files.text("/proc/version"), String(processor ?? ""), modules.joined(separator: " "),
            try Tool.output(["qemu-system-x86_64", "--version"]),
        ].joined(separator: "\n")
    }

    /// Boots a guest and ends it. Nil if that went well, else why not.
    private func tryGuest(_ accelerator: Accelerator) throws -> String? {
        let rules = try SplatRules(deny: installation.splatDenyList, allow: installation.splatAllowList)
        let initramfs = try Initramfs.make(agent: try Installation.agent(agent), cache: cache)
        let directory = try Files.makeTemporaryDirectory()
        defer { Files.remove(directory) }
        let needs = KernelNeeds(image: kernel)
        let configuration = MachineConfiguration(
            kernel: try Files.resolve(kernel), initramfs: initramfs.path, accelerator: accelerator,
            memoryMiB: max(256, needs.leastMemoryMiB), needs: needs)
        do {
            let session = try Session.boot(
                configuration, directory: directory, rules: rules, limits: AcceleratorProbe.limits, attempts: 1,
                note: { _ in })
            session.shutDown()
            return session.conclude(expectsEnd: false)?.reason
        } catch let failure as Failure {
            return failure.reason
        } catch let error as RunnerError {
            return error.message.split(separator: "\n").joined(separator: "; ")
        }
    }
}
