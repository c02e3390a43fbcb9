// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc

/// The file system that the selftests run in: their programs, the kernel's test modules, and what of the host's
/// programs they call.
struct SelftestImage: Sendable {
    /// Where the programs lie in the machine.
    static let directory = "/selftests"
    /// Where the tests look for the kernel's samples (their `KBUILD_OUTPUT`).
    static let kernelDirectory = "/kernel"

    var path: String

    /// Makes the image, or finds it in the cache if it was made from these very files before.
    static func make(
        _ programs: SelftestPrograms, kernel: StoredKernel, installation: Installation, cache: Cache
    ) throws -> SelftestImage {
        let items = try hostItems(installation)
        var description = "selftests image 1\n\(programs.id)\n\(kernel.id)\n"
        for item in items { description += "\(item.path) \(try Files.signature(item.source))\n" }
        let path = "\(try cache.directory("selftests"))/image-\(try Digest.of(description)).ext4"
        if Files.exists(path) { return SelftestImage(path: path) }
        let stage = "\(path).stage"
        Files.remove(stage)
        defer { Files.remove(stage) }
        try fill(stage, programs, kernel, items)
        let unfinished = "\(path).new"
        Files.remove(unfinished)
        let size = (Int(try Tool.output(["du", "-sm", "--", stage]).prefix { $0 != "\t" }) ?? 1024) * 5 / 4 + 512
        // Without a journal: the machine does not outlive what it writes.
        _ = try Tool.output(
            ["mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", stage, unfinished, "\(size)M"])
        try Files.rename(unfinished, to: path)
        return SelftestImage(path: path)
    }

    /// The host's programs and their libraries, with their places in the machine.
    private static func hostItems(_ installation: Installation) throws(RunnerError) -> [Initramfs.Item] {
        let list = installation.selftestList("programs")
        var items: [String: String] = [:]
        for line in try Files.text(list).split(separator: "\n") where !line.hasPrefix("#") && !line.isEmpty {
            let name = String(line)
            guard let source = name.hasPrefix("/") ? name : findProgram(name), Files.exists(source) else {
                throw RunnerError("\(list): \(name) is not installed", help: "Scripts/setup --selftests")
            }
            items[name.hasPrefix("/") ? name : "/usr/bin/\(name)"] = source
        }
        return items.map { Initramfs.Item(source: $0.value, path: $0.key) }.sorted { $0.path < $1.path }
    }

    private static func fill(
        _ stage: String, _ programs: SelftestPrograms, _ kernel: StoredKernel, _ items: [Initramfs.Item]
    ) throws(RunnerError) {
        for name in ["usr/bin", "usr/lib", "usr/lib64", "etc", "proc", "sys", "dev", "tmp", "run", "root", "var", "boot"] {
            try Files.makeDirectory("\(stage)/\(name)")
        }
        for (name, target) in [
            ("bin", "usr/bin"), ("sbin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64"), ("var/run", "../run"),
            ("usr/sbin", "bin"),
        ] {
            guard symlink(target, "\(stage)/\(name)") == 0 else { throw RunnerError("cannot make \(stage)/\(name)") }
        }
        // The same files under new names: the image is made from them, and nothing else happens to them.
        _ = try Tool.output(["cp", "-a", "--link", "--", programs.files, "\(stage)\(directory)"])
        for item in items { try place(item.source, at: stage + item.path) }
        for file in try linked(in: stage) {
            let directory = String(file[..<file.lastIndex(of: "/")!])
            for (_, library) in try LibraryClosure.of(file, directory: directory) where !library.hasPrefix(stage) {
                try place(library, at: stage + library)
            }
        }
        try addKernel(kernel, beside: programs.flavour, in: stage)
        let users = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
        try Files.write(users.utf8, to: "\(stage)/etc/passwd")
        try Files.write("root:x:0:\nnogroup:x:65534:\n".utf8, to: "\(stage)/etc/group")
        try Files.write("127.0.0.1 localhost\n::1 localhost\n".utf8, to: "\(stage)/etc/hosts")
    }

    /// The test modules beside the programs, and what tells tests about the kernel.
    private static func addKernel(
        _ kernel: StoredKernel, beside flavour: SelftestFlavour, in stage: String
    ) throws(RunnerError) {
        for module in try Files.list("\(kernel.directory)/modules") {
            let source = "\(kernel.directory)/modules/\(module)"
            if module.hasPrefix("bpf_test") {
                try place(source, at: "\(stage)\(directory)/\(flavour.rawValue)/\(module)")
            } else {
                try place(source, at: "\(stage)\(kernelDirectory)/samples/livepatch/\(module)")
            }
        }
        try place("\(kernel.directory)/.config", at: "\(stage)/boot/config-\(kernel.release)")
    }

    private static func place(_ source: String, at path: String) throws(RunnerError) {
        guard !Files.exists(path) else { return }
        try Files.makeDirectory(String(path[..<path.lastIndex(of: "/")!]))
        _ = try Tool.output(["cp", "-rL", "--", source, path])
    }

    /// Every program and library in a tree that has others to be linked with; not the objects of BPF programs and modules.
    private static func linked(in stage: String) throws(RunnerError) -> [String] {
        let output = try Tool.output(
            [
                "find", stage, "-type", "f", "(", "-perm", "-u+x", "-o", "-name", "*.so*", ")",
                "!", "-name", "*.o", "!", "-name", "*.ko", "!", "-name", "*.sh",
            ])
        var files: [String] = []
        for path in output.split(separator: "\n").map(String.init) {
            if try Files.read(path, limit: 5) == [0x7f, 0x45, 0x4c, 0x46, 2] { files.append(path) }
        }
        return files
    }
}
