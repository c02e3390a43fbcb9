// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import VMProtocol

/// One line of the table of file systems that a machine has.
private struct Mount {
    var type: String
    var path: String
    var options = ""
    /// A required one that cannot be mounted ends the machine; another is absent where the kernel lacks it.
    var required = true
}

private let kernelFileSystems = [
    Mount(type: "proc", path: "/proc"),
    Mount(type: "sysfs", path: "/sys"),
    Mount(type: "devtmpfs", path: "/dev"),
    Mount(type: "devpts", path: "/dev/pts", options: "ptmxmode=0666", required: false),
    Mount(type: "tmpfs", path: "/dev/shm", required: false),
    Mount(type: "tmpfs", path: "/tmp"),
    Mount(type: "tmpfs", path: "/run"),
    Mount(type: "bpf", path: "/sys/fs/bpf", options: "mode=0700", required: false),
    Mount(type: "debugfs", path: "/sys/kernel/debug", required: false),
    Mount(type: "tracefs", path: "/sys/kernel/tracing", required: false),
    Mount(type: "securityfs", path: "/sys/kernel/security", required: false),
    Mount(type: "cgroup2", path: "/sys/fs/cgroup", required: false),
]

enum FileSystems {
    /// Mounts the kernel's own file systems and makes the usual names in /dev.
    static func mountKernel() throws(SystemCallError) {
        for entry in kernelFileSystems {
            // /dev/pts and the like lie within what was mounted before them; those of /sys are the kernel's to make.
            mkdir(entry.path, 0o755)
            do {
                try attach(entry.type, at: entry.path, type: entry.type, options: entry.options)
            } catch {
                if entry.required { throw error }
            }
        }
        chmod("/tmp", 0o1777)
        for (name, target) in [("fd", "fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
            symlink("/proc/self/\(target)", "/dev/\(name)")
        }
    }

    /// Makes the host's files the root: read-only by 9p, with an overlay in memory on top that takes every
    /// change and goes away with the machine. The kernel's file systems move along.
    static func enterHostFiles() throws(SystemCallError) {
        for directory in ["/host", "/overlay", "/root"] { mkdir(directory, 0o755) }
        // cache=loose: the machine is short-lived and nothing writes through it, so nothing need be asked twice.
        try attach(
            VMProtocol.hostFilesTag, at: "/host", type: "9p", flags: MS_RDONLY,
            options: "trans=virtio,version=9p2000.L,cache=loose,msize=524288")
        try attach("overlay", at: "/overlay", type: "tmpfs")
        for directory in ["/overlay/upper", "/overlay/work"] { mkdir(directory, 0o755) }
        try attach(
            "overlay", at: "/root", type: "overlay",
            options: "lowerdir=/host,upperdir=/overlay/upper,workdir=/overlay/work")
        try enterRoot(with: ["/proc", "/sys", "/dev", "/run"])
    }

    /// Makes the ext4 file system on the machine's disk the root. It can be written to; the disk's file stays as it is.
    static func enterDisk() throws(SystemCallError) {
        mkdir("/root", 0o755)
        try attach("/dev/vda", at: "/root", type: "ext4")
        try enterRoot(with: ["/proc", "/sys", "/dev", "/run", "/tmp"])
    }

    /// Makes what is mounted at /root the root; file systems move along to it.
    private static func enterRoot(with paths: [String]) throws(SystemCallError) {
        for path in paths {
            mkdir("/root" + path, 0o755)
            try check("move \(path)") { mount(path, "/root" + path, nil, UInt(MS_MOVE), nil) }
        }
        // Not pivot_root(2): it refuses to replace the initial root file system.
        try check("chdir /root") { chdir("/root") }
        try check("move the root") { mount("/root", "/", nil, UInt(MS_MOVE), nil) }
        try check("chroot") { chroot(".") }
        try check("chdir /") { chdir("/") }
    }

    private static func attach(
        _ source: String, at path: String, type: String, flags: Int = 0, options: String = ""
    ) throws(SystemCallError) {
        try check("mount \(type) at \(path)") { mount(source, path, type, UInt(flags), options) }
    }
}
