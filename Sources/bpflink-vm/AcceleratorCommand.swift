// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import ArgumentParser
import VMRunner

struct Accel: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show who executes guests on this host: KVM, or QEMU's translator.",
        discussion: "Found out once by running a tiny guest, and remembered for this host and QEMU.")

    @Option(help: "The kernel for the tiny guest, named as `run` has it.")
    var kernel = "patched"

    @Option(help: "The guest agent, if it is not beside this program.")
    var agent: String?

    @Flag(help: "Find out again.")
    var probe = false

    func run() throws {
        try finish {
            let (installation, cache) = (try Installation(), try Cache())
            let finding = try AcceleratorProbe(
                kernel: try KernelStore(cache: cache).resolve(kernel, installation: installation), agent: agent,
                installation: installation, cache: cache
            ).finding(again: probe, note: note)
            say("\(finding.accelerator.rawValue): \(finding.reason)")
            return 0
        }
    }
}
