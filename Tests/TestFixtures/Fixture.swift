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
        do {
            return try TestFile.read(directory + "/\(name).bpf.o")
        } catch {
            throw Missing(
                description: "\(error); run Scripts/build-fixtures, or say in BPFLINK_FIXTURES where the objects are")
        }
    }

    /// Where the objects are: `BPFLINK_FIXTURES`, else `.build/fixtures` of this tree.
    public static var directory: String {
        getenv("BPFLINK_FIXTURES").map { String(cString: $0) } ?? root + "/.build/fixtures"
    }

    /// The fixtures' names: the sources in `Tests/Fixtures`.
    public static var names: [String] {
        TestFile.names(in: root + "/Tests/Fixtures").filter { $0.hasSuffix(".bpf.c") }.map { String($0.dropLast(6)) }
    }

    /// The top of the source tree.
    public static var root: String {
        #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3).joined(separator: "/")
    }
}
