// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Glibc
import SystemPackage

/// A program that is unpinned, and what keeps it loaded nevertheless.
public struct Unloaded: Sendable {
    /// The pin of the program.
    public var pin: String
    public var id: UInt32
    public var name: String
    /// The pins of its attachments, removed first.
    public var linkPins: [String]
    /// Loaded programs that import from it, those left out that are unpinned with it: as long as one of them lives, so does
    /// the program.
    public var importers: [Importer]
    /// Loaded programs that have copies of its functions, those left out that are unpinned with it: they keep its maps, not it.
    public var mapHolders: [Importer]
    /// Other pins of the program, and of attachments of it.
    public var otherPins: [String]
    /// Processes that hold it or an attachment of it.
    public var processes: [ProcessHolder]
    /// Pins of maps that it uses; libbpf pins a map by its name if the object asks for that, for others to find.
    public var mapPins: [String]

    public struct Importer: Sendable, Hashable {
        public var id: UInt32
        public var name: String
        public var type: ProgramType
        /// Where it, or an attachment of it, is pinned.
        public var pins: [String]
        public var processes: [ProcessHolder]
    }
}

/// Undoes what ``Loader`` pinned.
public enum Unloader {
    /// What there is to do, found out before anything is done.
    public struct Plan: Sendable {
        /// The programs, importers before their providers.
        public let programs: [Unloaded]
        /// Maps of functions that are detached and unpinned (`struct_ops`).
        public let structOps: [String]
        /// Directories that are removed when they are empty.
        public let directories: [String]
        /// Maps whose pins are removed, too.
        public let maps: [String]

        /// Does it: attachments first, so that nothing runs any more; then programs, importers before providers; then maps and
        /// directories.
        ///
        /// - Throws: ``KernelError`` with code `pin` at the first pin that cannot be removed.
        public func run() throws(KernelError) {
            for pin in programs.flatMap(\.linkPins) { try Unloader.remove(pin) }
            for pin in structOps { try Unloader.detach(pin) }
            for program in programs { try Unloader.remove(program.pin) }
            for pin in maps { try Unloader.remove(pin) }
            for directory in directories {
                do throws(CallFailure) {
                    _ = try systemCall { rmdir(directory) }
                } catch {
                    throw KernelError(.pin, "\(directory) cannot be removed", error)
                }
            }
        }
    }

    /// Removes a program's pin and the pins of its attachments; of a directory made by `--pin`, all of them and the directory.
    ///
    /// - Throws: ``KernelError`` if the path is no such pin or directory; nothing is removed then.
    @discardableResult
    public static func unload(_ path: String) throws(KernelError) -> [Unloaded] {
        let plan = try plan([path])
        try plan.run()
        return plan.programs
    }

    /// Finds out what removing pins means.
    ///
    /// - Parameters:
    ///   - paths: pinned programs, whose attachments go with them, and directories that `--pin` made.
    ///   - maps: whether pins of maps go, too, that only the programs use.
    /// - Throws: ``KernelError`` if a path is no such pin or directory.
    public static func plan(_ paths: [String], maps: Bool = false) throws(KernelError) -> Plan {
        var found = Found()
        for path in paths { try found.add(PinPath.trimmed(path)) }
        let programs = found.programs.sorted { $0.program.info.id > $1.program.info.id }
        let surroundings = try Surroundings(of: programs.map(\.program), without: found.all)
        let unloaded = programs.map { pin, program in
            Unloaded(
                pin: pin, id: program.info.id, name: program.info.name, linkPins: found.links.filter { isLink($0, of: pin) },
                importers: surroundings.importers[program.info.id] ?? [],
                mapHolders: surroundings.mapHolders[program.info.id] ?? [], otherPins: surroundings.pins(of: program.info.id),
                processes: surroundings.processes.holders(ofProgram: program.info.id),
                mapPins: program.info.mapIDs.flatMap(surroundings.index.pins(ofMap:)).filter { !found.all.contains($0) })
        }
        return Plan(
            programs: unloaded, structOps: found.structOps, directories: found.directories,
            maps: maps ? try surroundings.mapsOfNobodyElse(unloaded.flatMap(\.mapPins)) : [])
    }

    /// What lies at the paths.
    private struct Found {
        var programs: [(pin: String, program: OpenProgram)] = []
        var links: [String] = []
        var structOps: [String] = []
        var directories: [String] = []
        var all: Set<String> { Set(programs.map(\.pin) + links + structOps) }

        mutating func add(_ path: String) throws(KernelError) {
            guard PinPath.exists(path) else { throw KernelError(.notFound, "nothing is pinned at \(path)") }
            guard PinPath.isDirectory(path) else {
                programs.append((path, try OpenProgram.open(pin: path)))
                let directory = PinPath.parent(of: path)
                links += try PinPath.entries(of: directory).map { directory == "/" ? "/\($0)" : "\(directory)/\($0)" }
                    .filter { isLink($0, of: path) && isLinkPin($0) }
                return
            }
            let before = programs.count
            for pin in try PinPath.entries(of: path).map({ "\(path)/\($0)" }) { try add(pin, of: path) }
            if programs.count == before {
                throw KernelError(.pin, "\(path) holds no pinned program", help: ["`rmdir` removes an empty directory"])
            }
            directories.append(path)
        }

        private mutating func add(_ pin: String, of directory: String) throws(KernelError) {
            let object = PinIndex.object(pinnedAt: pin)
            switch object {
            case .link: links.append(pin)
            case .map(let id) where isStructOps(id): structOps.append(pin)
            default:
                do throws(KernelError) {
                    programs.append((pin, try OpenProgram.open(pin: pin)))
                } catch {
                    throw KernelError(
                        .pin, "\(directory) is not a directory that `--pin` made", notes: [error.message] + error.notes)
                }
            }
        }
    }

    /// Whether the name is one that ``PinPath`` gives to the attachments of a program.
    private static func isLink(_ path: String, of program: String) -> Bool {
        guard path.hasPrefix(program + "_link") else { return false }
        let rest = path.dropFirst(program.count + "_link".count)
        return rest.isEmpty || (rest.first == "_" && Int(rest.dropFirst()) != nil)
    }

    private static func isLinkPin(_ path: String) -> Bool {
        if case .link? = PinIndex.object(pinnedAt: path) { return true }
        return false
    }

    private static func isStructOps(_ map: UInt32) -> Bool {
        guard let number = try? libbpfCall({ bpf_map_get_fd_by_id(map) }) else { return false }
        let descriptor = AnyDescriptor(owning: number)
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        guard bpf_obj_get_info_by_fd(descriptor.number, &info, &size) == 0 else { return false }
        return info.type == BPF_MAP_TYPE_STRUCT_OPS.rawValue
    }

    /// Takes a map of functions out of use (`bpf_struct_ops_map_delete_elem()` in kernel/bpf/bpf_struct_ops.c) and unpins it.
    private static func detach(_ pin: String) throws(KernelError) {
        do throws(CallFailure) {
            let map = AnyDescriptor(owning: try libbpfCall { bpf_obj_get(pin) })
            var key: UInt32 = 0
            do throws(CallFailure) {
                let number = map.number
                try libbpfCall { bpf_map_delete_elem(number, &key) }
            } catch {
                // Out of use already.
                guard error.errno == .noSuchFileOrDirectory else { throw error }
            }
        } catch {
            throw KernelError(.pin, "the functions pinned at \(pin) cannot be detached", error)
        }
        try remove(pin)
    }

    private static func remove(_ pin: String) throws(KernelError) {
        do throws(CallFailure) {
            _ = try systemCall { unlink(pin) }
        } catch {
            throw KernelError(.pin, "the pin \(pin) cannot be removed", error)
        }
    }
}

/// What else there is around programs that are unpinned.
private struct Surroundings {
    let index = PinIndex.read()
    let processes = ProcessHolders.read()
    /// By provider.
    private(set) var importers: [UInt32: [Unloaded.Importer]] = [:]
    /// By provider.
    private(set) var mapHolders: [UInt32: [Unloaded.Importer]] = [:]
    /// The pins that are removed.
    private let removed: Set<String>
    private let own: Set<UInt32>

    init(of programs: [OpenProgram], without removed: Set<String>) throws(KernelError) {
        self.removed = removed
        own = Set(programs.map(\.info.id))
        // Only a program with exports can have importers, and only one that carries its object, which takes maps, can be copied from;
        // others need no look at the whole system. Without the privilege nobody can see whether it carries one, nor copy it.
        let capabilities = try Capabilities.ofThisProcess()
        if programs.contains(where: { !$0.info.exports.isEmpty }) { try capabilities.check([.lookUp]) }
        guard capabilities.missing(for: .lookUp).isEmpty,
            programs.contains(where: { !$0.info.exports.isEmpty || !$0.info.mapIDs.isEmpty })
        else { return }
        let all = try OpenProgram.all()
        var copies = CopyGraph(all)
        for program in all where !own.contains(program.info.id) {
            let info = program.info
            let importer = Unloaded.Importer(
                id: info.id, name: info.name, type: info.type, pins: pins(of: info.id),
                processes: processes.holders(ofProgram: info.id))
            for provider in Set(info.imports.map(\.programID)) where own.contains(provider) {
                importers[provider, default: []].append(importer)
            }
            for provider in Set(copies.copied(in: program).compactMap(\.providerID)) where own.contains(provider) {
                mapHolders[provider, default: []].append(importer)
            }
        }
    }

    /// Where a program, or an attachment of it, stays pinned.
    func pins(of program: UInt32) -> [String] {
        (index.pins(ofProgram: program) + index.links(ofProgram: program)).filter { !removed.contains($0) }
    }

    /// Those of the pins whose maps no other program uses.
    func mapsOfNobodyElse(_ pins: [String]) throws(KernelError) -> [String] {
        guard !pins.isEmpty else { return [] }
        try Capabilities.ofThisProcess().check([.lookUp])
        let used = Set(try OpenProgram.all().filter { !own.contains($0.info.id) }.flatMap(\.info.mapIDs))
        return Set(pins).sorted().filter { pin in
            if case .map(let id)? = PinIndex.object(pinnedAt: pin) { return !used.contains(id) }
            return false
        }
    }
}
