// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFLinker
import BPFObject

/// The loaded programs and who imports what from whom, as the kernel told it at one moment.
///
/// There are no cycles: a program exists before those that import from it.
public struct ProgramGraph: Sendable {
    /// A program.
    public struct Node: Sendable {
        public var info: ProgramInfo
        /// What it offers to be called, in the kernel's order.
        public var exports: [ProviderExport]
        /// What can be copied from it and cannot be called.
        public var copies: [ProviderExport] = []
        /// What it calls in other programs.
        public var imports: [ProgramImport]
        /// What it has copies of, of other programs' objects.
        public var copied: [CopiedFunction] = []
        /// The programs that import from it, or have copies of its functions, by id.
        public var importers: [UInt32] = []
        /// Where it is pinned.
        public var pins: [String]
        /// Where its attachments are pinned.
        public var linkPins: [String]
        /// The processes that hold it, or an attachment of it, by a descriptor.
        public var processes: [ProcessHolder]

        /// What the kernel tells of an export beyond its prototype.
        public func facts(of export: ProviderExport) -> ProgramInfo.Export? {
            info.exports.first { $0.typeID == export.typeID.value }
        }

        /// The distinct programs that it imports from, or has copies of functions of.
        public var providers: [UInt32] {
            Set(imports.map(\.providerID)).union(copied.compactMap(\.providerID)).sorted()
        }
    }

    /// In the order of ids, which is the order in which programs were loaded.
    public private(set) var nodes: [Node]

    /// Asks the kernel.
    ///
    /// Programs that are unloaded meanwhile are left out; a program whose importer is found is held open by it and stays.
    ///
    /// - Parameter all: whether programs that neither export nor import, nor have or offer copies, are part of it.
    /// - Throws: ``KernelError`` if programs cannot be enumerated, which takes CAP_SYS_ADMIN.
    public static func read(all: Bool = false) throws(KernelError) -> ProgramGraph {
        try Capabilities.ofThisProcess().check([.lookUp])
        let pins = PinIndex.read()
        let processes = ProcessHolders.read()
        var names = ImportNames()
        var graph = ProgramGraph(nodes: [])
        let programs = try OpenProgram.all()
        var copyGraph = CopyGraph(programs)
        for program in programs {
            let info = program.info
            // A program whose object is damaged offers nothing.
            let exports = try program.exports()
            let copies = copyGraph.carried(by: program)?.offered(by: exports).filter(\.isCopyOnly) ?? []
            let copied = copyGraph.copied(in: program)
            guard all || !exports.isEmpty || !info.imports.isEmpty || !copies.isEmpty || !copied.isEmpty else { continue }
            graph.nodes.append(
                Node(
                    info: info, exports: exports, copies: copies, imports: try names.imports(of: info),
                    copied: copied, pins: pins.pins(ofProgram: info.id), linkPins: pins.links(ofProgram: info.id),
                    processes: processes.holders(ofProgram: info.id)))
        }
        return ProgramGraph(nodes: graph.nodes)
    }

    /// - Parameter nodes: programs; their importers are found here.
    public init(nodes: [Node]) {
        var nodes = nodes
        var importers: [UInt32: [UInt32]] = [:]
        for node in nodes {
            for provider in node.providers { importers[provider, default: []].append(node.info.id) }
        }
        for index in nodes.indices { nodes[index].importers = importers[nodes[index].info.id] ?? [] }
        self.nodes = nodes
    }

    /// The program of an id.
    public subscript(id: UInt32) -> Node? { nodes.first { $0.info.id == id } }

    /// The programs that have nothing of another program of the graph.
    public var roots: [Node] {
        let ids = Set(nodes.map(\.info.id))
        return nodes.filter { ids.isDisjoint(with: $0.providers) }
    }

    /// A program, all that it has something of and all that have something of it, directly or through others.
    public func around(_ id: UInt32) -> ProgramGraph {
        let known = Dictionary(nodes.map { ($0.info.id, $0) }, uniquingKeysWith: { a, _ in a })
        func reach(_ next: (Node) -> [UInt32]) -> Set<UInt32> {
            var found: Set<UInt32> = []
            var waiting = [id]
            while let id = waiting.popLast() {
                guard found.insert(id).inserted, let node = known[id] else { continue }
                waiting += next(node)
            }
            return found
        }
        let part = reach(\.providers).union(reach(\.importers))
        return ProgramGraph(nodes: nodes.filter { part.contains($0.info.id) })
    }
}
