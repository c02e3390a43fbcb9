// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc

/// The initial file system of a machine: the agent as /init, programs and files, and the libraries they need.
struct Initramfs: Sendable {
    /// A host file and where it lies in the machine.
    struct Item: Equatable, Sendable {
        var source: String
        var path: String
    }

    /// The archive's file.
    var path: String
    /// The digest of what is in it.
    var digest: String

    /// Makes the archive, or finds it in the cache if it was made from these very files before.
    /// - Parameters:
    ///   - agent: the program that becomes /init.
    ///   - items: more files; directories are taken with all that is in them, programs with their libraries.
    static func make(agent: String, items: [Item] = [], cache: Cache) throws(RunnerError) -> Initramfs {
        var files: [Item] = [Item(source: agent, path: "/init")]
        for item in items { try collect(item, into: &files) }
        var libraries: [String: String] = [:]
        for file in files where isProgram(file.source) {
            for (name, library) in try LibraryClosure.of(file.source) { libraries[name] = library }
        }
        files += libraries.map { Item(source: $0.value, path: "/lib/\($0.key)") }
        files.sort { $0.path < $1.path }

        var description = ""
        for file in files { description += "\(file.path) \(try Files.signature(file.source))\n" }
        let digest = try Digest.of(description)
        let path = "\(try cache.directory("initramfs"))/\(digest).cpio"
        if !Files.exists(path) { try Files.write(try archive(files).encoded(), to: path) }
        utimes(path, nil)
        return Initramfs(path: path, digest: digest)
    }

    private static func archive(_ files: [Item]) throws(RunnerError) -> CPIOArchive {
        var archive = CPIOArchive()
        for directory in ["proc", "sys", "dev", "tmp", "run", "lib", "usr"] { archive.addDirectory(directory) }
        // Wherever this C library's loader looks by default, it finds /lib.
        for name in ["lib64", "usr/lib", "usr/lib64"] {
            archive.addLink(name, to: name.hasPrefix("usr/") ? "../lib" : "lib")
        }
        for file in files {
            let executable = (Files.status(file.source)?.st_mode ?? 0) & 0o111 != 0
            archive.addFile(file.path, try Files.read(file.source), executable: executable)
        }
        return archive
    }

    private static func collect(_ item: Item, into files: inout [Item]) throws(RunnerError) {
        guard Files.isDirectory(item.source) else {
            files.append(item)
            return
        }
        for name in try Files.list(item.source) {
            try collect(Item(source: "\(item.source)/\(name)", path: "\(item.path)/\(name)"), into: &files)
        }
    }

    /// True for an executable ELF file; scripts and data need no libraries.
    private static func isProgram(_ path: String) -> Bool {
        access(path, X_OK) == 0 && (try? Files.read(path, limit: 4)) == [0x7f, 0x45, 0x4c, 0x46]
    }
}
