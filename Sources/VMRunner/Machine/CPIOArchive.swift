// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// An archive in the "newc" format that the kernel unpacks as its initial file system.
/// See: Documentation/driver-api/early-userspace/buffer-format.rst.
///
/// The bytes depend on names and contents only: entries are sorted, times are 0, inode numbers count up.
struct CPIOArchive: Sendable {
    private enum Entry {
        case directory
        case file([UInt8], executable: Bool)
        case link(String)
    }

    private var entries: [String: Entry] = [:]

    /// Adds a file, and the directories above it.
    /// - Parameter path: where it lies, with or without a leading slash.
    mutating func addFile(_ path: String, _ content: [UInt8], executable: Bool = false) {
        add(path, .file(content, executable: executable))
    }

    mutating func addDirectory(_ path: String) { add(path, .directory) }

    mutating func addLink(_ path: String, to target: String) { add(path, .link(target)) }

    private mutating func add(_ path: String, _ entry: Entry) {
        let components = path.split(separator: "/")
        for count in 1..<max(components.count, 1) {
            let parent = components.prefix(count).joined(separator: "/")
            if entries[parent] == nil { entries[parent] = .directory }
        }
        entries[components.joined(separator: "/")] = entry
    }

    /// The archive's bytes.
    func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        var inode = 1
        // A directory sorts before what lies in it.
        for (path, entry) in entries.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            switch entry {
            case .directory: append(path, mode: 0o040755, [], inode: inode, to: &bytes)
            case .file(let content, let executable):
                append(path, mode: executable ? 0o100755 : 0o100644, content, inode: inode, to: &bytes)
            case .link(let target): append(path, mode: 0o120777, Array(target.utf8), inode: inode, to: &bytes)
            }
            inode += 1
        }
        append("TRAILER!!!", mode: 0, [], inode: 0, to: &bytes)
        return bytes
    }

    private func append(_ path: String, mode: Int, _ content: [UInt8], inode: Int, to bytes: inout [UInt8]) {
        let name = Array(path.utf8)
        // inode, mode, uid, gid, links, mtime, size, device ×2, special device ×2, name with its null, checksum
        let fields = [inode, mode, 0, 0, 1, 0, content.count, 0, 0, 0, 0, name.count + 1, 0]
        bytes += "070701".utf8
        for field in fields {
            let digits = String(field, radix: 16)
            bytes += [UInt8](repeating: UInt8(ascii: "0"), count: 8 - digits.utf8.count)
            bytes += digits.utf8
        }
        bytes += name
        bytes.append(0)
        pad(&bytes)
        bytes += content
        pad(&bytes)
    }

    /// Header with name, and content, each end on a multiple of four bytes.
    private func pad(_ bytes: inout [UInt8]) {
        while bytes.count % 4 != 0 { bytes.append(0) }
    }
}
