// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import Glibc

/// BPF objects compiled from `Tests/Fixtures`.
public enum Fixture {
    /// What goes wrong when a fixture is not there, in words that say what to do.
    public struct Missing: Error, CustomStringConvertible {
        public let description: String
    }

    /// The bytes of a compiled fixture.
    ///
    /// - Parameter name: the source's name without `.bpf.c`.
    public static func bytes(_ name: String) throws -> [UInt8] {
        let path = directory + "/\(name).bpf.o"
        guard let file = fopen(path, "rb") else {
            throw Missing(
                description: "\(path): \(String(cString: strerror(errno))); run Scripts/build-fixtures, or say in "
                    + "BPFLINK_FIXTURES where the objects are")
        }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&buffer, 1, buffer.count, file)
            if count == 0 { return bytes }
            bytes += buffer[..<count]
        }
    }

    /// Where the objects are: `BPFLINK_FIXTURES`, else `.build/fixtures` of this tree.
    public static var directory: String {
        if let value = getenv("BPFLINK_FIXTURES") { return String(cString: value) }
        let root = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
        return root + "/.build/fixtures"
    }

    /// The fixtures' names: the sources in `Tests/Fixtures`.
    public static var names: [String] {
        let sources = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(2).joined(separator: "/")
        guard let handle = opendir(sources + "/Fixtures") else { return [] }
        defer { closedir(handle) }
        var names: [String] = []
        while let entry = readdir(handle) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if name.hasSuffix(".bpf.c") { names.append(String(name.dropLast(6))) }
        }
        return names.sorted()
    }
}
