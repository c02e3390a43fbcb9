// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import Synchronization
import SystemPackage

/// Whole-file operations, with errors that name the file.
enum Files {
    static func read(_ path: String, limit: Int = .max) throws(RunnerError) -> [UInt8] {
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
            return try file.closeAfter {
                var bytes: [UInt8] = []
                var chunk = [UInt8](repeating: 0, count: 1 << 20)
                while bytes.count < limit {
                    let count = try chunk.withUnsafeMutableBytes { try file.read(into: $0) }
                    if count == 0 { break }
                    bytes += chunk[..<min(count, limit - bytes.count)]
                }
                return bytes
            }
        } catch {
            throw RunnerError("cannot read \(path): \(error)")
        }
    }

    static func text(_ path: String) throws(RunnerError) -> String {
        String(decoding: try read(path), as: UTF8.self)
    }

    private static let writes = Atomic(0)

    /// Writes a file whole or not at all: under another name first, then renamed.
    static func write(
        _ bytes: some Sequence<UInt8>, to path: String,
        permissions: FilePermissions = [.ownerReadWrite, .groupRead, .otherRead]
    ) throws(RunnerError) {
        // Threads of this process may write the same file at a time.
        let number = writes.add(1, ordering: .relaxed).newValue
        let temporary = "\(path).\(getpid()).\(number).new"
        do {
            let file = try FileDescriptor.open(
                FilePath(temporary), .writeOnly, options: [.create, .truncate, .closeOnExec],
                permissions: permissions)
            try file.closeAfter { _ = try file.writeAll(bytes) }
        } catch {
            throw RunnerError("cannot write \(temporary): \(error)")
        }
        try rename(temporary, to: path)
    }

    static func rename(_ from: String, to path: String) throws(RunnerError) {
        guard Glibc.rename(from, path) == 0 else {
            throw RunnerError("cannot rename \(from) to \(path): \(Errno(rawValue: errno))")
        }
    }

    /// Makes a directory and those above it.
    static func makeDirectory(_ path: String) throws(RunnerError) {
        if mkdir(path, 0o755) == 0 || isDirectory(path) { return }
        let number = errno
        let parent = FilePath(path).removingLastComponent().string
        guard number == ENOENT, !parent.isEmpty, parent != path else {
            throw RunnerError("cannot make the directory \(path): \(Errno(rawValue: number))")
        }
        try makeDirectory(parent)
        guard mkdir(path, 0o755) == 0 || isDirectory(path) else {
            throw RunnerError("cannot make the directory \(path): \(Errno(rawValue: errno))")
        }
    }

    /// Makes a new, empty directory with a name of its own under the temporary directory.
    static func makeTemporaryDirectory() throws(RunnerError) -> String {
        let base = Environment["TMPDIR"] ?? "/tmp"
        var template = Array("\(base)/bpflink-vm.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else {
            throw RunnerError("cannot make a directory in \(base): \(Errno(rawValue: errno))")
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    static func status(_ path: String) -> stat? {
        var status = stat()
        return stat(path, &status) == 0 ? status : nil
    }

    static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

    static func isDirectory(_ path: String) -> Bool { status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false }

    /// The names in a directory, sorted.
    static func list(_ directory: String) throws(RunnerError) -> [String] {
        guard let stream = opendir(directory) else {
            throw RunnerError("cannot list \(directory): \(Errno(rawValue: errno))")
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Removes a file or a whole directory; one that is not there is no error.
    static func remove(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        if status.st_mode & S_IFMT == S_IFDIR {
            for name in (try? list(path)) ?? [] { remove("\(path)/\(name)") }
            rmdir(path)
        } else {
            unlink(path)
        }
    }

    /// When a file was last changed, in seconds since 1970; 0 if it is not there.
    static func modificationTime(_ path: String) -> Int { status(path)?.st_mtim.tv_sec ?? 0 }

    /// Says which file this is and whether its content can have changed, without reading it.
    static func signature(_ path: String) throws(RunnerError) -> String {
        guard let status = status(path) else { throw RunnerError("cannot find \(path)") }
        let changed = "\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
        return "\(path) \(status.st_dev):\(status.st_ino) \(status.st_size) \(changed)"
    }

    /// The absolute path with symbolic links resolved.
    static func resolve(_ path: String) throws(RunnerError) -> String {
        guard let resolved = realpath(path, nil) else {
            throw RunnerError("cannot find \(path): \(Errno(rawValue: errno))")
        }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}

/// The environment variables of this process.
public enum Environment {
    public static subscript(name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else { return nil }
        return String(cString: value)
    }

    /// `NAME=VALUE` for those of the names that are set, to be passed on.
    static func passing(_ names: String...) -> [String] {
        names.compactMap { name in self[name].map { "\(name)=\($0)" } }
    }
}
