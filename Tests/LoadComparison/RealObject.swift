// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFObject
import TestFixtures

/// An object as one finds them in the wild, compiled by one of the compilers that the machine has
/// (`Tests/RealObjects`, `Scripts/build-fixtures`).
public struct RealObject: Sendable, CustomStringConvertible {
    public let compiler: String
    /// The source's name without extensions.
    public let name: String
    private let path: String

    /// `clang`, the compiler of all other fixtures, and the versions that have a name of their own; oldest first.
    public static let compilers = ["clang-14", "clang-15", "clang-16", "clang-17", "clang-18", "clang-19", "clang-20", "clang-22", "clang"]

    /// The objects of a compiler, none if it was not there when they were made.
    ///
    /// - Parameter importing: those whose programs call a function of another program, too.
    public static func all(of compiler: String, importing: Bool = false) -> [RealObject] {
        let directory = "\(Fixture.directory).real/\(compiler)"
        let ending = importing ? ".import.bpf.o" : ".bpf.o"
        return TestFile.names(in: directory).filter { $0.hasSuffix(ending) && $0.hasSuffix(".import.bpf.o") == importing }
            .map { RealObject(compiler: compiler, name: String($0.dropLast(ending.count)), path: "\(directory)/\($0)") }
    }

    public var description: String { "\(name) (\(compiler))" }

    public func object() throws -> Object { try Object(bytes: try TestFile.read(path), name: "\(name).bpf.o") }

    /// Loads the object by libbpf alone.
    public func alone(only: String? = nil) throws -> LibbpfAlone {
        try LibbpfAlone(try TestFile.read(path), name: name, only: only)
    }
}
