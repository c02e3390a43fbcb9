// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import VMProtocol

/// Who executes the guest's instructions.
public enum Accelerator: String, Sendable {
    case kvm
    /// QEMU's translator: works everywhere, several times slower.
    case tcg

    /// By how much the runner's own deadlines grow.
    var patience: Int { self == .kvm ? 1 : 3 }
}

/// What a machine is made of; from it follows QEMU's command line.
struct MachineConfiguration: Equatable, Sendable {
    /// Descriptors that QEMU inherits: its monitor, the agent's port.
    static let monitorDescriptor = 3
    static let controlDescriptor = 4

    /// What the machine's memory is.
    enum Memory: Equatable, Sendable {
        case ordinary
        /// This file: what the guest writes is in it.
        case file(String)
        /// This file as it is: what the guest writes is its own, and what it does not touch is never copied.
        case copy(of: String)
    }

    /// An uncompressed kernel with a PVH entry, or any other image that QEMU boots.
    var kernel: String
    var initramfs: String
    var accelerator: Accelerator
    var cpus = 1
    var memoryMiB = 256
    var memory = Memory.ordinary
    /// Offers the host's root directory, read-only, by 9p.
    var sharesHostFiles = false
    /// A file system in a file, as the machine's disk. What the guest writes goes away with it.
    var disk: String?
    /// A socket for the debugger; the machine then waits for it before its first instruction.
    var debuggerSocket: String?
    /// What its kernel needs more of than others.
    var needs = KernelNeeds()

    /// By how much the runner's own deadlines grow.
    var patience: Int { accelerator.patience * needs.slowness }

    /// The kernel's command line. Its own watchdogs come in order (RCU stall, soft lockup, hung task), each below
    /// the runner's deadlines, so that one hang has one name.
    var kernelArguments: [String] {
        [
            "console=ttyS0", "panic=-1", "loglevel=7", "log_buf_len=1M", "nokaslr", "no5lvl",
            // The check of the timer at boot fails wrongly when the host is too busy to deliver ticks in time.
            "no_timer_check",
            // Skip what a virtual machine has not got.
            "raid=noautodetect", "i8042.noaux", "i8042.nokbd", "i8042.nopnp",
            // The runner injects an NMI into a machine that hangs: the trace is what it wants.
            "unknown_nmi_panic", "softlockup_all_cpu_backtrace=1", "hardlockup_all_cpu_backtrace=1",
            "sysctl.vm.panic_on_oom=1", "kasan_multi_shot",
            "rcupdate.rcu_cpu_stall_timeout=\(30 * needs.slowness)", "watchdog_thresh=\(20 * needs.slowness)",
            "sysctl.kernel.hung_task_timeout_secs=\(60 * needs.slowness)",
        ] + needs.kernelArguments
    }

    /// QEMU and its arguments.
    /// - Parameters:
    ///   - console: the file that takes the console. A file, because a console that nobody reads must not stop the guest.
    ///   - awaitsState: wait to be told where the machine's state is instead of booting.
    func arguments(console: String, awaitsState: Bool = false) -> [String] {
        var arguments = [
            "qemu-system-x86_64", "-accel", accelerator == .tcg ? "tcg,thread=multi" : "kvm",
            "-cpu", accelerator == .tcg ? "max" : "host",
            "-M", "q35", "-bios", "qboot.rom", "-m", "\(memoryMiB)M", "-smp", "\(cpus)",
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            "-kernel", kernel, "-initrd", initramfs, "-append", kernelArguments.joined(separator: " "),
            "-chardev", "file,id=console,path=\(MachineConfiguration.escape(console))", "-serial", "chardev:console",
            "-chardev", "socket,id=monitor,fd=\(MachineConfiguration.monitorDescriptor)",
            "-mon", "chardev=monitor,mode=control",
            "-device", "virtio-serial-pci,max_ports=2",
            "-chardev", "socket,id=control,fd=\(MachineConfiguration.controlDescriptor)",
            "-device", "virtserialport,chardev=control,name=\(VMProtocol.portName)",
            // With `none`, a panicked guest still writes its trace before it resets, and the monitor says GUEST_PANICKED.
            "-device", "virtio-rng-pci", "-device", "pvpanic-pci", "-action", "panic=none",
        ]
        if sharesHostFiles {
            arguments += [
                "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
                "-device", "virtio-9p-pci,fsdev=host,mount_tag=\(VMProtocol.hostFilesTag)",
            ]
        }
        if let disk {
            arguments += [
                "-drive", "file=\(MachineConfiguration.escape(disk)),if=none,id=disk,format=raw,snapshot=on",
                "-device", "virtio-blk-pci,drive=disk",
            ]
        }
        if let debuggerSocket {
            arguments += [
                "-gdb", "unix:\(MachineConfiguration.escape(debuggerSocket)),server=on,wait=off", "-S",
            ]
        }
        switch memory {
        case .ordinary: break
        case .file(let path): arguments += memoryArguments(path, "on")
        case .copy(let path): arguments += memoryArguments(path, "off")
        }
        if awaitsState { arguments += ["-incoming", "defer"] }
        return arguments
    }

    private func memoryArguments(_ path: String, _ share: String) -> [String] {
        let file = "mem-path=\(MachineConfiguration.escape(path)),share=\(share)"
        return ["-object", "memory-backend-file,id=memory,size=\(memoryMiB)M,\(file)", "-M", "memory-backend=memory"]
    }

    /// In QEMU's option lists a comma in a value is doubled.
    private static func escape(_ value: String) -> String {
        value.split(separator: ",", omittingEmptySubsequences: false).joined(separator: ",,")
    }
}
