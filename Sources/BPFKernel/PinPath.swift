// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Glibc
import SystemPackage

/// Paths in a BPF file system: where pins may go, and the tidy making and removing of them.
///
/// `--pin PATH` of an object with one program pins it at PATH, or at PATH/PROGRAM if PATH is a directory. An object with
/// several programs gets the directory PATH with one pin per program, named as the program; what they share is a program, too,
/// named as the object's file. Several objects are pinned side by side in the directory. The attachments of a program are pinned
/// beside it as PROGRAM_link, PROGRAM_link_2, … A map of functions (`struct_ops`) that is attached is pinned like a program, as
/// what it is named; its pin is that of the attachment.
///
/// Names and what they hold are all there is: whoever has the directory can undo it. A pin is never written over.
enum PinPath {
    /// BPF_FS_MAGIC of include/uapi/linux/magic.h.
    private static let fileSystemMagic = 0xcafe_4a11
    static let defaultMountPoint = "/sys/fs/bpf"

    /// The pin of each program, by name.
    ///
    /// - Parameter objects: the names of the programs of each object.
    /// - Throws: ``KernelError`` with code `pin` if two objects have programs of one name: a directory has room for one.
    static func layout(_ path: String, objects: [[String]]) throws(KernelError) -> [String: String] {
        let path = trimmed(path)
        let programs = objects.flatMap { $0 }
        if programs.count == 1, !isDirectory(path) { return [programs[0]: path] }
        var pins: [String: String] = [:]
        for object in objects {
            for program in Set(object).sorted() where pins.updateValue("\(path)/\(program)", forKey: program) != nil {
                throw KernelError(
                    .pin, "two of the objects have a program `\(program)`, and both would be pinned at \(path)/\(program)",
                    help: ["load one of them with a `--pin` of its own"])
            }
        }
        return pins
    }

    /// The pin of a program's attachment, counted from 0.
    static func link(of program: String, number: Int) -> String {
        number == 0 ? "\(program)_link" : "\(program)_link_\(number + 1)"
    }

    /// Checks, before anything is loaded, that the paths can be pins; mounts the BPF file system at its usual place if it is
    /// not there yet and may be mounted.
    ///
    /// - Throws: ``KernelError`` with code `pin`.
    static func prepare(_ paths: [String], mounts: Bool) throws(KernelError) {
        for path in paths {
            guard path.hasPrefix("/") else {
                throw KernelError(.pin, "the pin path \(path) is not absolute", help: ["pins live under \(defaultMountPoint)"])
            }
            try requireFileSystem(for: path, mounts: mounts)
            if let name = newNames(of: path).first(where: { isOfKernel(String($0)) }) {
                throw KernelError(.pin, "the pin name `\(name)` has a dot, which the BPF file system does not allow")
            }
            if exists(path) {
                throw KernelError(
                    .pin, "\(path) exists already", errno: .fileExists, notes: holder(of: path).map { [$0] } ?? [],
                    help: [(removal(of: path).map { $0 + "; " } ?? "") + "`--pin` takes another path"])
            }
        }
    }

    /// How a pin that is in the way is removed; nil if `unload` may not take what is there.
    private static func removal(of path: String) -> String? {
        switch PinIndex.object(pinnedAt: path) {
        case .map where !Unloader.isStructOps(path): "`bpflink unload --maps \(path)` removes the pin of a map that no program uses"
        case .some: "`bpflink unload \(path)` removes a pin"
        case nil: nil
        }
    }

    /// The names on the way to a path that are yet to be made.
    private static func newNames(of path: String) -> [Substring] {
        var ancestor = path
        while !exists(ancestor) { ancestor = parent(of: ancestor) }
        return path.dropFirst(ancestor.count).split(separator: "/")
    }

    /// What is at a path, in words; nil if that cannot be told.
    private static func holder(of path: String) -> String? {
        if isDirectory(path) { return "it is a directory" }
        switch PinIndex.object(pinnedAt: path) {
        case .program(let id):
            let program = try? OpenProgram.open(.id(id))
            return "it holds program \(id)" + (program.map { " (\($0.info.type) \($0.info.name))" } ?? "")
        case .map(let id): return "it holds map \(id)"
        case .link(let id, let program): return "it holds attachment \(id)" + (program == 0 ? "" : " of program \(program)")
        case nil: return nil
        }
    }

    private static func requireFileSystem(for path: String, mounts: Bool) throws(KernelError) {
        var ancestor = parent(of: path)
        while !exists(ancestor) { ancestor = parent(of: ancestor) }
        guard !isFile(ancestor) else {
            throw KernelError(
                .pin, "\(path) cannot be pinned: \(ancestor) is no directory", errno: .notDirectory,
                notes: holder(of: ancestor).map { [$0] } ?? [])
        }
        if isInFileSystem(ancestor) { return }
        guard path.hasPrefix(defaultMountPoint + "/"), ancestor == defaultMountPoint else {
            throw KernelError(
                .pin, "\(path) is not in a BPF file system", help: ["pins live under \(defaultMountPoint)"])
        }
        guard mounts else {
            throw KernelError(.pin, "no BPF file system is mounted at \(defaultMountPoint)", help: [mountHelp])
        }
        try Capabilities.ofThisProcess().check([.mount])
        do throws(CallFailure) {
            _ = try systemCall { mount("bpf", defaultMountPoint, "bpf", 0, "mode=0700") }
        } catch {
            throw KernelError(.pin, "the BPF file system cannot be mounted at \(defaultMountPoint)", error, help: [mountHelp])
        }
    }

    static let mountHelp = "`mount -t bpf bpf \(defaultMountPoint)` mounts the BPF file system"

    /// Whether what is at the path is in a BPF file system.
    static func isInFileSystem(_ path: String) -> Bool {
        var status = statfs()
        return statfs(path, &status) == 0 && Int(status.f_type) == fileSystemMagic
    }

    static func trimmed(_ path: String) -> String {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        return path
    }

    static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }

    /// The absolute path of what is there, without symbolic links, `.`, `..` and repeated slashes, as ``PinIndex`` spells it.
    ///
    /// - Throws: ``KernelError`` with code `not-found` if nothing is there, or cannot be looked up.
    static func canonical(_ path: String) throws(KernelError) -> String {
        if let canonical = realpath(path, nil) {
            defer { free(canonical) }
            return String(cString: canonical)
        }
        let error = Errno(rawValue: errno)
        guard error == .noSuchFileOrDirectory || error == .notDirectory else {
            throw KernelError(.notFound, "\(path) cannot be looked up: \(error)", errno: error)
        }
        throw KernelError(.notFound, "nothing is pinned at \(path)", errno: error)
    }

    static func exists(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    static func isSymbolicLink(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    /// Whether the kernel itself made a pin: `bpf_lookup()` in kernel/bpf/inode.c gives nobody else a name with a dot.
    static func isOfKernel(_ path: String) -> Bool { path.split(separator: "/").last?.contains(".") ?? false }

    /// Whether another file system begins at a directory.
    static func isMountPoint(_ path: String) -> Bool {
        path == "/" || FileIdentity(at: path)?.device != FileIdentity(at: parent(of: path))?.device
    }

    /// The paths of what is in a directory, sorted.
    static func paths(in directory: String) throws(KernelError) -> [String] {
        try entries(of: directory).map { directory == "/" ? "/\($0)" : "\(directory)/\($0)" }
    }

    /// Whether something is there, symbolic links followed, and has no room for pins.
    private static func isFile(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFDIR
    }

    /// The names in a directory, sorted.
    static func entries(of path: String) throws(KernelError) -> [String] {
        guard let directory = opendir(path) else {
            throw KernelError(.pin, "\(path) cannot be read: \(Errno(rawValue: errno))", errno: Errno(rawValue: errno))
        }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

/// The pins that one load makes; those that are not kept are removed again.
struct PinTransaction: ~Copyable {
    private var files: [String] = []
    private var directories: [String] = []
    private var isKept = false

    /// Pins a BPF object, making missing directories.
    ///
    /// - Throws: ``KernelError`` with code `pin`.
    mutating func pin(_ descriptor: CInt, at path: String) throws(KernelError) {
        try makeDirectory(PinPath.parent(of: path))
        do throws(CallFailure) {
            try libbpfCall { bpf_obj_pin(descriptor, path) }
        } catch {
            throw KernelError(.pin, "\(path) cannot be pinned", error)
        }
        files.append(path)
    }

    private mutating func makeDirectory(_ path: String) throws(KernelError) {
        if PinPath.exists(path) { return }
        try makeDirectory(PinPath.parent(of: path))
        do throws(CallFailure) {
            _ = try systemCall { mkdir(path, 0o700) }
        } catch {
            throw KernelError(.pin, "the directory \(path) cannot be made", error)
        }
        directories.append(path)
    }

    /// Lets the pins stay.
    consuming func keep() {
        isKept = true
    }

    deinit {
        if isKept { return }
        for file in files.reversed() { unlink(file) }
        for directory in directories.reversed() { rmdir(directory) }
    }
}
