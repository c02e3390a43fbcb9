// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import ArgumentParser
import VMRunner

/// What every command that boots a machine takes.
struct MachineOptions: ParsableArguments {
    @Option(
        help: """
            The kernel: patched, stock or patched@N (the first N patches), also with +debug or +selftests after it; or a \
            file, or a name from `kernel list`.
            """)
    var kernel = "patched"

    @Option(help: "Number of CPUs.")
    var cpus = 1

    @Option(help: "Memory in MiB.")
    var memory: Int?

    @Option(help: "Who executes the guest: auto (what a probe found to work), kvm or tcg.")
    var accel = "auto"

    @Option(help: "Another word for the kernel's command line, such as sysctl.net.core.bpf_jit_harden=2.")
    var append: [String] = []

    @Flag(
        help: """
            Have the kernel look for memory that was leaked, after the command or all cases; takes a kernel with kmemleak, as \
            +debug has it.
            """)
    var leaks = false

    @Option(help: "The guest agent, if it is not beside this program.")
    var agent: String?

    func validate() throws {
        guard cpus > 0, memory ?? 1 > 0 else { throw ValidationError("--cpus and --memory take positive numbers") }
        guard ["auto", "kvm", "tcg"].contains(accel) else { throw ValidationError("--accel takes auto, kvm or tcg") }
    }
}

/// What the options come to on this host.
struct Place {
    var installation: Installation
    var cache: Cache
    var kernel: String
    var accelerator: Accelerator
    var needs: KernelNeeds
}

extension MachineOptions {
    func place() throws -> Place {
        let (installation, cache) = (try Installation(), try Cache())
        let image = try KernelStore(cache: cache).resolve(kernel, installation: installation)
        let accelerator: Accelerator
        if let given = Accelerator(rawValue: accel) {
            accelerator = given
        } else {
            let probe = AcceleratorProbe(kernel: image, agent: agent, installation: installation, cache: cache)
            accelerator = try probe.finding(note: note).accelerator
        }
        var needs = KernelNeeds(image: image)
        needs.kernelArguments += append
        return Place(installation: installation, cache: cache, kernel: image, accelerator: accelerator, needs: needs)
    }
}
