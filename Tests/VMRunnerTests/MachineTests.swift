// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Synchronization
import Testing

@testable import VMRunner

@Suite struct MachineConfigurationTests {
    let configuration = MachineConfiguration(kernel: "/k", initramfs: "/i", accelerator: .tcg)

    func value(_ option: String, in arguments: [String]) -> [String] {
        zip(arguments, arguments.dropFirst()).filter { $0.0 == option }.map(\.1)
    }

    @Test func bootsTheKernelDirectly() {
        let arguments = configuration.arguments(console: "/c")
        #expect(arguments.first == "qemu-system-x86_64")
        #expect(value("-kernel", in: arguments) == ["/k"])
        #expect(value("-initrd", in: arguments) == ["/i"])
        #expect(value("-bios", in: arguments) == ["qboot.rom"])
        #expect(value("-M", in: arguments) == ["q35"])
        #expect(value("-smp", in: arguments) == ["1"])
        #expect(value("-action", in: arguments) == ["panic=none"])
        #expect(arguments.contains("-no-reboot") && arguments.contains("-nodefaults"))
        #expect(value("-chardev", in: arguments).contains("file,id=console,path=/c"))
        #expect(value("-device", in: arguments).contains("virtserialport,chardev=control,name=bpflink.ctl"))
        let kernel = value("-append", in: arguments)[0].split(separator: " ")
        #expect(kernel.contains("panic=-1") && kernel.contains("console=ttyS0") && kernel.contains("unknown_nmi_panic"))
    }

    @Test func accelerators() {
        var configuration = configuration
        #expect(value("-accel", in: configuration.arguments(console: "/c")) == ["tcg,thread=multi"])
        configuration.accelerator = .kvm
        #expect(value("-accel", in: configuration.arguments(console: "/c")) == ["kvm"])
        #expect(Accelerator.tcg.patience > Accelerator.kvm.patience)
    }

    @Test func aDebugKernelGetsMoreOfEverything() {
        var slow = configuration
        slow.needs = KernelNeeds(.debug)
        #expect(slow.patience > configuration.patience && slow.needs.leastMemoryMiB > configuration.memoryMiB)
        let arguments = value("-append", in: slow.arguments(console: "/c"))[0].split(separator: " ")
        #expect(arguments.suffix(2) == ["sysctl.net.core.bpf_jit_harden=2", "kmemleak.verbose=1"])
        // All of them, so that they still come in this order.
        let timers = ["rcupdate.rcu_cpu_stall_timeout=90", "watchdog_thresh=60", "sysctl.kernel.hung_task_timeout_secs=180"]
        #expect(timers.allSatisfy { arguments.contains(Substring($0)) })
        let (selftests, both) = (KernelNeeds(.selftests), KernelNeeds(.selftestsDebug))
        #expect(both.leastMemoryMiB == selftests.leastMemoryMiB + slow.needs.leastMemoryMiB && both.slowness <= 3)
        #expect(both.kernelArguments == selftests.kernelArguments + slow.needs.kernelArguments)
        #expect(KernelNeeds(.plain) == KernelNeeds() && KernelNeeds(image: "/nonexistent/vmlinux") == KernelNeeds())
    }

    @Test func theHostsFilesAreReadOnlyAndOnlyThereIfAskedFor() {
        var configuration = configuration
        #expect(value("-fsdev", in: configuration.arguments(console: "/c")).isEmpty)
        configuration.sharesHostFiles = true
        let shares = value("-fsdev", in: configuration.arguments(console: "/c"))
        #expect(shares.count == 1 && shares[0].contains("readonly=on") && shares[0].contains("path=/,"))
    }

    @Test func aRestoredMachineHasTheSameDevices() {
        var saved = configuration
        saved.memory = .file("/m,1")
        var restored = configuration
        restored.memory = .copy(of: "/m,1")
        let plain = configuration.arguments(console: "/c")
        func memory(_ share: String) -> [String] {
            ["-object", "memory-backend-file,id=memory,size=256M,mem-path=/m,,1,share=\(share)", "-M", "memory-backend=memory"]
        }
        #expect(saved.arguments(console: "/c") == plain + memory("on"))
        #expect(restored.arguments(console: "/c", awaitsState: true) == plain + memory("off") + ["-incoming", "defer"])
    }

    @Test func commasInPathsAreDoubled() {
        #expect(value("-chardev", in: configuration.arguments(console: "/a,b")).contains("file,id=console,path=/a,,b"))
    }

    /// RCU stall < soft lockup (twice the threshold) < hung task: one hang, one name.
    @Test func theKernelsWatchdogsComeInOrder() throws {
        func seconds(_ name: String) throws -> Int {
            let argument = try #require(configuration.kernelArguments.first { $0.hasPrefix("\(name)=") })
            return try #require(Int(argument.dropFirst(name.count + 1)))
        }
        let stall = try seconds("rcupdate.rcu_cpu_stall_timeout")
        let lockup = try seconds("watchdog_thresh") * 2
        let hung = try seconds("sysctl.kernel.hung_task_timeout_secs")
        #expect(stall < lockup && lockup < hung)
    }
}

/// Files that several machines need are made by whoever comes first, or by two at a time.
@Suite struct FilesTests {
    @Test func aFileIsWrittenByManyAtATime() throws {
        let directory = try Files.makeTemporaryDirectory()
        defer { Files.remove(directory) }
        let failures = Mutex<[String]>([])
        let content = [UInt8](repeating: 7, count: 1 << 16)
        onThreads(8) {
            for _ in 0..<50 {
                do { try Files.write(content, to: "\(directory)/file") } catch { failures.withLock { $0.append("\(error)") } }
            }
        }
        #expect(failures.withLock { $0 }.isEmpty)
        #expect(try Files.read("\(directory)/file") == content)
        #expect(try Files.list(directory) == ["file"])
    }
}

@Suite struct CPIOArchiveTests {
    @Test func bytes() {
        var archive = CPIOArchive()
        archive.addFile("/b/f", Array("hello".utf8), executable: true)
        archive.addLink("a", to: "b")
        func header(_ inode: String, _ mode: String, _ size: String, _ nameSize: String) -> String {
            "070701" + inode + mode + "00000000" + "00000000" + "00000001" + "00000000" + size + "00000000" + "00000000"
                + "00000000" + "00000000" + nameSize + "00000000"
        }
        // Header and name, and content, each padded to a multiple of four.
        let expected =
            header("00000001", "0000a1ff", "00000001", "00000002") + "a\0" + "b\0\0\0"
            + header("00000002", "000041ed", "00000000", "00000002") + "b\0"
            + header("00000003", "000081ed", "00000005", "00000004") + "b/f\0\0\0" + "hello\0\0\0"
            + header("00000000", "00000000", "00000000", "0000000b") + "TRAILER!!!\0\0\0\0"
        #expect(String(decoding: archive.encoded(), as: UTF8.self) == expected)
    }

    @Test func theOrderOfAdditionDoesNotMatter() {
        var first = CPIOArchive()
        var second = CPIOArchive()
        first.addFile("x/y", [1])
        first.addFile("x-y", [2])
        second.addFile("x-y", [2])
        second.addFile("x/y", [1])
        #expect(first.encoded() == second.encoded())
    }
}

@Suite struct LibraryClosureTests {
    @Test func aProgramsLibrariesAreFoundWithItsLoader() throws {
        let libraries = try LibraryClosure.of(try Installation.program)
        #expect(libraries.contains { $0.name == "libc.so.6" })
        #expect(libraries.first.map { $0.name.hasPrefix("ld-linux") } == true)
        #expect(libraries.allSatisfy { Files.exists($0.file) })
    }

    @Test func whatIsNoProgramIsRefused() {
        #expect(throws: RunnerError.self) { try LibraryClosure.of(#filePath) }
    }
}
