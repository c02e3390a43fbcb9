// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFLinker

/// A directory of a BPF file system in which libraries are looked for.
public struct LibraryPath: Sendable {
    public let directory: String
    /// Whether it may be missing: the default is not always there.
    public let isOptional: Bool

    /// Where libraries are looked for if nothing else is said, and after all that is said.
    public static let standard = LibraryPath("/sys/fs/bpf/bpflink/lib", isOptional: true)

    public init(_ directory: String, isOptional: Bool = false) {
        self.directory = PinPath.trimmed(directory)
        self.isOptional = isOptional
    }

    /// The pins of the directory, in the order of their names.
    ///
    /// - Throws: ``KernelError`` with code `not-found` if it should be there and cannot be read, or can have no pins.
    public func pins() throws(KernelError) -> [String] {
        let entries: [String]
        do throws(KernelError) {
            entries = try PinPath.entries(of: directory)
        } catch {
            if isOptional { return [] }
            throw KernelError(
                .notFound, "no library path: \(error.message)", errno: error.errno,
                help: ["`--library-path` names a directory of pinned libraries; `bpflink load LIBRARY --pin \(directory)/NAME` makes one"])
        }
        guard isOptional || PinPath.isInFileSystem(directory) else {
            throw KernelError(
                .notFound, "no library path: \(directory) is not in a BPF file system", notes: ["nothing can be pinned there"],
                help: ["`--library-path` names a directory of pinned libraries; they live under \(PinPath.defaultMountPoint)"])
        }
        return entries.map { "\(directory)/\($0)" }.filter { !PinPath.isDirectory($0) }
    }

    /// The libraries that are pinned in the directory; what else is there is passed over.
    ///
    /// - Returns: each with what it offers.
    /// - Throws: ``KernelError`` if the directory cannot be read, or a library in it cannot.
    public func libraries() throws(KernelError) -> [(program: OpenProgram, snapshot: ProviderSnapshot)] {
        var libraries: [(program: OpenProgram, snapshot: ProviderSnapshot)] = []
        for pin in try pins() {
            let program: OpenProgram
            do throws(KernelError) {
                program = try OpenProgram.open(pin: pin)
            } catch {
                // A map, a link, or a pin that went away meanwhile.
                if error.code == .notAProgram || error.code == .notFound { continue }
                throw error
            }
            if let snapshot = try program.offered(as: "pinned=\(pin)") { libraries.append((program, snapshot)) }
        }
        return libraries
    }
}
