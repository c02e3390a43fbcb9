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

/// An attachment that is unpinned without a pin of its program beside it, and what keeps it nevertheless.
public struct UnloadedLink: Sendable {
    public var pin: String
    public var id: UInt32
    /// The id of the program that it attaches; 0 if the kernel does not say.
    public var program: UInt32
    public var otherPins: [String]
    public var processes: [ProcessHolder]
}

/// Undoes what ``Loader`` pinned.
public enum Unloader {
    /// What there is to do, found out before anything is done.
    public struct Plan: Sendable {
        /// The programs, importers before their providers.
        public let programs: [Unloaded]
        /// Attachments that do not lie beside one of the programs.
        public let links: [UnloadedLink]
        /// Maps of functions that are detached and unpinned (`struct_ops`).
        public let structOps: [String]
        /// Directories that are empty then, and removed; those in others first.
        public let directories: [String]
        /// Maps whose pins are removed, too.
        public let maps: [String]
        /// Who else uses maps of which a pin stays, by pin. Without the privilege to see all programs it is empty.
        public let mapUsers: [String: [Unloaded.Importer]]
        /// What stays in directories that were to go: directories in them that are not among the paths.
        public let left: [String]
        /// Maps that were to go by their own paths, and stay because other programs use them.
        public let keptMaps: [String]

        /// Does it: attachments first, so that nothing runs any more; then programs, importers before providers; then maps and
        /// directories.
        ///
        /// - Throws: ``KernelError`` with code `pin` at the first pin that cannot be removed; its notes tell what was done by then.
        public func run() throws(KernelError) {
            var done: [String] = []
            for step in steps {
                do throws(KernelError) {
                    try step.run()
                } catch {
                    var error = error
                    error.notes += done.map { "done by then: \($0)" }
                    throw error
                }
                done.append(step.words)
            }
        }

        private var steps: [Step] {
            (programs.flatMap(\.linkPins) + links.map(\.pin)).map(Step.link) + structOps.map(Step.structOps)
                + programs.map { Step.program($0.pin) } + maps.map(Step.map) + directories.map(Step.directory)
        }
    }

    /// One thing to be removed.
    private enum Step {
        case link(String)
        case structOps(String)
        case program(String)
        case map(String)
        case directory(String)

        var words: String {
            switch self {
            case .link(let pin), .structOps(let pin): "detached \(pin)"
            case .program(let pin): "unpinned \(pin)"
            case .map(let pin): "unpinned the map \(pin)"
            case .directory(let path): "removed \(path)"
            }
        }

        func run() throws(KernelError) {
            switch self {
            case .link(let pin), .program(let pin), .map(let pin): try Unloader.remove("the pin \(pin)") { unlink(pin) }
            case .structOps(let pin): try Unloader.detach(pin)
            case .directory(let path): try Unloader.remove(path) { rmdir(path) }
            }
        }
    }

    /// Removes a program's pin and the pins of its attachments; of a directory made by `--pin`, all of them and the directory; or
    /// an attachment's pin alone.
    ///
    /// - Returns: the programs.
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
    ///   - paths: pinned programs, whose attachments go with them; attachments and maps of functions; directories that `--pin`
    ///     made; maps, if `maps` is set. They are a set: the order does not matter, and one may lie in or belong to another.
    ///   - maps: whether pins of maps go, too, that only the programs use.
    /// - Throws: ``KernelError`` if a path is no such pin or directory.
    public static func plan(_ paths: [String], maps: Bool = false) throws(KernelError) -> Plan {
        let found = try Found(paths, maps: maps)
        let programs = found.programs.sorted { $0.program.info.id > $1.program.info.id }
        let surroundings = try Surroundings(of: programs.map(\.program), maps: Set(found.maps.values), without: found.pins)
        let unloaded = programs.map { pin, program in
            Unloaded(
                pin: pin, id: program.info.id, name: program.info.name,
                linkPins: found.links.keys.filter { isLink($0, of: pin) }.sorted(),
                importers: surroundings.importers[program.info.id] ?? [],
                mapHolders: surroundings.mapHolders[program.info.id] ?? [], otherPins: surroundings.pins(of: program.info.id),
                processes: surroundings.processes.holders(ofProgram: program.info.id),
                mapPins: program.info.mapIDs.flatMap(surroundings.index.pins(ofMap:)).filter(surroundings.stays))
        }
        let mapPins = Set(unloaded.flatMap(\.mapPins) + found.maps.keys)
        let users = surroundings.users(ofMapsAt: mapPins)
        if maps, !mapPins.isEmpty { try Capabilities.ofThisProcess().check([.lookUp]) }
        let keptMaps = found.maps.keys.filter { users[$0] != nil }.sorted()
        let left = found.left + keptMaps
        return Plan(
            programs: unloaded, links: lone(found.links, beside: programs.map(\.pin), surroundings), structOps: found.structOps,
            directories: found.directories.filter { directory in !left.contains { $0.hasPrefix(directory + "/") } },
            maps: maps ? mapPins.filter { users[$0] == nil }.sorted() : [], mapUsers: users, left: found.left, keptMaps: keptMaps)
    }

    /// The attachments that belong to none of the programs' pins.
    private static func lone(
        _ links: [String: Link], beside programs: [String], _ surroundings: Surroundings
    ) -> [UnloadedLink] {
        links.filter { pin, _ in !programs.contains { isLink(pin, of: $0) } }.sorted { $0.key < $1.key }.map { pin, link in
            UnloadedLink(
                pin: pin, id: link.id, program: link.program,
                otherPins: surroundings.index.pins(ofLink: link.id).filter(surroundings.stays),
                processes: surroundings.processes.holders(ofLink: link.id))
        }
    }

    private typealias Link = (id: UInt32, program: UInt32)

    /// What lies at the paths.
    private struct Found {
        private(set) var programs: [(pin: String, program: OpenProgram)] = []
        /// By pin.
        private(set) var links: [String: Link] = [:]
        private(set) var structOps: [String] = []
        /// The ids of other maps, by pin.
        private(set) var maps: [String: UInt32] = [:]
        /// Those in others first.
        private(set) var directories: [String] = []
        /// Directories in these that are not among the paths.
        private(set) var left: [String] = []
        /// All pins that were found.
        private(set) var pins: Set<String> = []

        init(_ paths: [String], maps: Bool) throws(KernelError) {
            var all: Set<String> = []
            for path in paths { all.insert(try PinPath.canonical(path)) }
            let sorted = all.sorted { ($1.utf8.count, $0) < ($0.utf8.count, $1) }
            // What a directory may hold beside what `--pin` makes must be known before it is looked at.
            for pin in sorted where !PinPath.isDirectory(pin) {
                guard try !add(pin) else { continue }
                try add(map: pin, isWanted: maps)
            }
            for directory in sorted where PinPath.isDirectory(directory) { try add(directory: directory) }
        }

        /// Adds what `--pin` makes: a program with its attachments, an attachment, a map of functions.
        ///
        /// - Returns: false if a map of another kind is pinned there.
        /// - Throws: ``KernelError`` if nothing of that is.
        private mutating func add(_ pin: String) throws(KernelError) -> Bool {
            if pins.contains(pin) { return true }
            guard !PinPath.isOfKernel(pin) else {
                throw KernelError(
                    .pin, "\(pin) is not a pin that `--pin` made",
                    notes: ["only pins that the kernel makes itself have names with a dot"],
                    help: ["`bpflink list` shows where programs are pinned"])
            }
            switch PinIndex.object(pinnedAt: pin) {
            case .link(let id, let program): links[pin] = (id, program)
            case .map where Unloader.isStructOps(pin): structOps.append(pin)
            case .map: return false
            case .program, nil:
                programs.append((pin, try OpenProgram.open(pin: pin)))
                try addLinks(of: pin)
            }
            pins.insert(pin)
            return true
        }

        private mutating func addLinks(of program: String) throws(KernelError) {
            for path in try PinPath.paths(in: PinPath.parent(of: program)) where isLink(path, of: program) {
                guard case .link(let id, let attached)? = PinIndex.object(pinnedAt: path) else { continue }
                links[path] = (id, attached)
                pins.insert(path)
            }
        }

        private mutating func add(map pin: String, isWanted: Bool) throws(KernelError) {
            guard isWanted, case .map(let id)? = PinIndex.object(pinnedAt: pin) else {
                throw KernelError(
                    .notAProgram, "\(pin) is the pin of a map", notes: ["maps are for others to find, and stay"],
                    help: ["`bpflink unload --maps \(pin)` removes it if no program uses the map"])
            }
            maps[pin] = id
            pins.insert(pin)
        }

        private mutating func add(directory: String) throws(KernelError) {
            guard !PinPath.isMountPoint(directory) else {
                throw KernelError(
                    .pin, "\(directory) is not a directory that `--pin` made", notes: ["a file system is mounted there"],
                    help: ["`bpflink unload` takes the pins and the directories in it"])
            }
            var holdsPins = false
            var others: [String] = []
            for path in try PinPath.paths(in: directory) {
                if PinPath.isDirectory(path) {
                    if directories.contains(path) { holdsPins = true } else { others.append(path) }
                } else {
                    try add(path, in: directory)
                    holdsPins = true
                }
            }
            guard holdsPins else {
                let help =
                    others.isEmpty ? "`rmdir \(directory)` removes an empty directory" : "name the directories that hold pins"
                throw KernelError(
                    .pin, "\(directory) holds no pin", notes: others.map { "it holds the directory \($0)" }, help: [help])
            }
            directories.append(directory)
            left += others
        }

        private mutating func add(_ path: String, in directory: String) throws(KernelError) {
            if pins.contains(path) { return }
            let notes: [String]
            if PinPath.isSymbolicLink(path) {
                // What it leads to lies elsewhere, and may be somebody else's.
                notes = ["\(path) is a symbolic link"]
            } else {
                do throws(KernelError) {
                    if try add(path) { return }
                    notes = ["\(path) is the pin of a map"]
                } catch {
                    notes = [error.message] + error.notes
                }
            }
            throw KernelError(
                .pin, "\(directory) is not a directory that `--pin` made", notes: notes,
                help: ["`bpflink unload` takes single pins, too, and with `--maps` those of maps"])
        }
    }

    /// Whether the name is one that ``PinPath`` gives to the attachments of a program.
    private static func isLink(_ path: String, of program: String) -> Bool {
        guard path.hasPrefix(program + "_link") else { return false }
        let rest = path.dropFirst(program.count + "_link".count)
        return rest.isEmpty || (rest.first == "_" && Int(rest.dropFirst()) != nil)
    }

    /// Whether a map of functions is pinned at the path.
    static func isStructOps(_ pin: String) -> Bool {
        guard let number = try? libbpfCall({ bpf_obj_get(pin) }) else { return false }
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
        try remove("the pin \(pin)") { unlink(pin) }
    }

    private static func remove(_ what: String, _ call: () -> CInt) throws(KernelError) {
        do throws(CallFailure) {
            _ = try systemCall(call)
        } catch {
            // Somebody else removed it meanwhile.
            if error.errno == .noSuchFileOrDirectory { return }
            throw KernelError(.pin, "\(what) cannot be removed", error)
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
    /// By the id of a map.
    private var mapUsers: [UInt32: [Unloaded.Importer]] = [:]
    /// The pins that are removed, however they are called: a BPF file system may be mounted at several places.
    private let removed: Set<FileIdentity>

    init(of programs: [OpenProgram], maps: Set<UInt32>, without removed: Set<String>) throws(KernelError) {
        self.removed = Set(removed.compactMap { FileIdentity(at: $0) })
        let own = Set(programs.map(\.info.id))
        // Only a program with exports can have importers, and only one that carries its object, which takes maps, can be copied from;
        // others need no look at the whole system. Without the privilege nobody can see whether it carries one, nor copy it.
        let capabilities = try Capabilities.ofThisProcess()
        if programs.contains(where: { !$0.info.exports.isEmpty }) { try capabilities.check([.lookUp]) }
        guard capabilities.missing(for: .lookUp).isEmpty,
            !maps.isEmpty || programs.contains(where: { !$0.info.exports.isEmpty || !$0.info.mapIDs.isEmpty })
        else { return }
        let maps = maps.union(programs.flatMap(\.info.mapIDs))
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
            for map in Set(info.mapIDs).intersection(maps) { mapUsers[map, default: []].append(importer) }
        }
    }

    /// Where a program, or an attachment of it, stays pinned.
    func pins(of program: UInt32) -> [String] {
        (index.pins(ofProgram: program) + index.links(ofProgram: program)).filter(stays)
    }

    /// Whether a pin is none of those that are removed, by this path or another.
    func stays(_ pin: String) -> Bool { FileIdentity(at: pin).map { !removed.contains($0) } ?? false }

    /// The other programs that use the maps pinned at the paths, by path; only those that somebody uses.
    func users(ofMapsAt pins: Set<String>) -> [String: [Unloaded.Importer]] {
        var users: [String: [Unloaded.Importer]] = [:]
        for pin in pins {
            guard case .map(let id)? = PinIndex.object(pinnedAt: pin) else { continue }
            users[pin] = mapUsers[id]
        }
        return users
    }
}
