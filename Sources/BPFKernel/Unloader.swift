// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Glibc
import SystemPackage

/// What removing a pin did.
public struct Unloaded: Sendable {
    /// The pin of the program.
    public var pin: String
    public var id: UInt32
    public var name: String
    /// The pins of its attachments, removed first.
    public var linkPins: [String]
    /// Loaded programs that import from it, those left out that were unpinned with it: as long as one of them lives, so does
    /// the program.
    public var importers: [Importer]

    public struct Importer: Sendable, Hashable {
        public var id: UInt32
        public var name: String
        public var type: ProgramType
    }
}

/// Removes what ``Loader`` pinned.
public enum Unloader {
    /// Removes a program's pin and the pins of its attachments; of a directory made by `--pin`, all of them and the directory.
    ///
    /// - Throws: ``KernelError`` if the path is no such pin or directory; nothing is removed then.
    public static func unload(_ path: String) throws(KernelError) -> [Unloaded] {
        let path = PinPath.trimmed(path)
        guard PinPath.exists(path) else { throw KernelError(.notFound, "nothing is pinned at \(path)") }
        let isDirectory = PinPath.isDirectory(path)
        let pins = isDirectory ? try PinPath.entries(of: path).map { "\(path)/\($0)" } : [path]
        let links = isDirectory ? pins.filter { isLink($0) } : try linkPins(of: path)
        let programPins = pins.filter { !links.contains($0) }
        if isDirectory, programPins.isEmpty {
            throw KernelError(.pin, "\(path) holds no pinned program", help: ["`rmdir` removes an empty directory"])
        }

        var programs: [(pin: String, program: OpenProgram)] = []
        for pin in programPins {
            do throws(KernelError) {
                programs.append((pin, try OpenProgram.open(pin: pin)))
            } catch {
                guard isDirectory else { throw error }
                throw KernelError(.pin, "\(path) is not a directory that `--pin` made", notes: [error.message] + error.notes)
            }
        }
        let importers = try importersByProvider(of: programs.map(\.program))

        for pin in links { try remove(pin) }
        for (pin, _) in programs { try remove(pin) }
        if isDirectory {
            do throws(CallFailure) {
                _ = try systemCall { rmdir(path) }
            } catch {
                throw KernelError(.pin, "\(path) cannot be removed", error)
            }
        }
        return programs.map { pin, program in
            Unloaded(
                pin: pin, id: program.info.id, name: program.info.name, linkPins: links.filter { isLink($0, of: pin) },
                importers: importers[program.info.id] ?? [])
        }
    }

    private static func linkPins(of path: String) throws(KernelError) -> [String] {
        let directory = PinPath.parent(of: path)
        return try PinPath.entries(of: directory).map { directory == "/" ? "/\($0)" : "\(directory)/\($0)" }
            .filter { isLink($0, of: path) && isLink($0) }
    }

    /// Whether the name is one that ``PinPath`` gives to the attachments of a program.
    private static func isLink(_ path: String, of program: String) -> Bool {
        guard path.hasPrefix(program + "_link") else { return false }
        let rest = path.dropFirst(program.count + "_link".count)
        return rest.isEmpty || (rest.first == "_" && Int(rest.dropFirst()) != nil)
    }

    /// Whether a bpf_link is pinned at the path.
    private static func isLink(_ path: String) -> Bool {
        guard let number = try? libbpfCall({ bpf_obj_get(path) }) else { return false }
        let descriptor = AnyDescriptor(owning: number)
        // `bpf_link_new_fd()` in kernel/bpf/syscall.c.
        return (try? OpenProgram.kind(of: descriptor.number)) == "anon_inode:bpf-link"
    }

    private static func importersByProvider(of programs: [OpenProgram]) throws(KernelError) -> [UInt32: [Unloaded.Importer]] {
        // Only a program with exports can have importers; others need no look at the whole system.
        guard programs.contains(where: { !$0.info.exports.isEmpty }) else { return [:] }
        try Capabilities.ofThisProcess().check([.lookUp])
        var importers: [UInt32: [Unloaded.Importer]] = [:]
        let own = Set(programs.map(\.info.id))
        for program in try OpenProgram.all() where !own.contains(program.info.id) {
            for provider in Set(program.info.imports.map(\.programID)) {
                importers[provider, default: []].append(
                    .init(id: program.info.id, name: program.info.name, type: program.info.type))
            }
        }
        return importers
    }

    private static func remove(_ pin: String) throws(KernelError) {
        do throws(CallFailure) {
            _ = try systemCall { unlink(pin) }
        } catch {
            throw KernelError(.pin, "the pin \(pin) cannot be removed", error)
        }
    }
}
