// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFKernel
public import BPFLinker
public import BPFObject
public import SystemPackage

/// What is to be loaded and where its imports come from: what the options of `bpflink load` say, as a value.
///
/// ```swift
/// var request = LoadRequest([try Object(file: "rename.bpf.o")])
/// request.libraries = [.pinned("/sys/fs/bpf/library")]
/// request.loading.attach = [.section]
/// let loaded = try request.plan().load()
/// ```
public struct LoadRequest: Sendable {
    /// The objects, in any order; they may import from each other.
    public var objects: [Object]
    /// Decisions for single imports; they win over everything else.
    public var imports: [RequestedImport] = []
    /// Loaded programs that offer all their exports.
    public var libraries: [ProgramSelector] = []
    /// Directories of pinned libraries, searched for what nothing else offers.
    public var searchPath: [LibraryPath] = [.standard]
    /// How imports are bound. `kernelHasCalls` and `kernelHasBodies` are found out by ``plan(forLoading:)``, as far as the process may
    /// ask the kernel.
    public var linking = LinkOptions()
    /// How what is linked is loaded, attached and pinned.
    public var loading = LoadOptions()

    /// A request that loads all programs of the objects, attaches and pins nothing, and shares what can be shared.
    public init(_ objects: [Object]) {
        self.objects = objects
        linking.shares = true
    }

    /// Opens the providers and links the objects to them; nothing is loaded.
    ///
    /// `auto` is decided by what the running kernel can do; a process that may not ask it gets the plan for a kernel with calls by FD
    /// and name, and ``PlannedLoad/refusal`` is set.
    ///
    /// - Parameter isLoaded: whether the plan is to be loaded: then the capabilities for it are asked for first.
    /// - Throws: ``BPFKernel/KernelError``, or ``BPFLinker/GraphErrors`` with every reason why the objects cannot be linked.
    public func plan(forLoading isLoaded: Bool = true) throws -> PlannedLoad {
        try checkCapabilities(isLoaded)
        if linking.mode == .kernel, !imports.isEmpty || !libraries.isEmpty { try Features.requireFunctionCalls() }
        if isLoaded, linking.mode != .copy, let verification = linking.verification {
            try Features.requireFunctionCalls()
            if verification == .chain { try Features.requireFunctionBodies() }
        }

        var providers = Providers()
        var requests: [ImportRequest] = []
        var memberRequests: [MemberRequest] = []
        for wanted in imports {
            switch wanted.source {
            case .program(let selector):
                requests.append(ImportRequest(name: wanted.function, provider: try providers.open(selector)))
            case .object(let position): memberRequests.append(MemberRequest(name: wanted.function, member: position))
            }
        }
        let libraries = try libraries.map { try providers.open($0) }
        let members = objects.map { GraphMember($0, offersExports: loading.exports) }
        let found = try providers.search(
            searchPath, for: Self.unanswered(members, requests.map(\.name) + memberRequests.map(\.name), libraries))
        var options = linking
        let answer = goesByKernel ? Features.functionCalls() : .present
        options.kernelHasCalls = answer != .absent
        options.kernelHasBodies = !(goesByKernel || isLoaded && callsFunctions) || Features.functionBodies() != .absent
        let graph = try BPFLinker.link(
            members, imports: requests, memberImports: memberRequests, libraries: libraries, searchPath: found, options: options)
        var refusal: Errno?
        if case .cannotTell(let error) = answer { refusal = error }
        return PlannedLoad(graph: graph, providers: providers.opened, options: loading, refusal: refusal)
    }

    /// Whether it makes a difference what the kernel can do.
    private var goesByKernel: Bool { linking.mode == .auto && callsFunctions }

    /// Whether there is anything that could be called by FD and name.
    private var callsFunctions: Bool {
        loading.exports
            || objects.contains { object in
                object.isLibrary || !object.imports.isEmpty
                    || linking.shares && object.entryPrograms.count > 1 && !object.exports.isEmpty
            }
    }

    /// Asks for capabilities before the first provider is opened.
    private func checkCapabilities(_ isLoaded: Bool) throws(KernelError) {
        let selectors = libraries + imports.compactMap { if case .program(let selector) = $0.source { selector } else { nil } }
        var actions = selectors.flatMap(\.actions)
        if !selectors.isEmpty { actions.append(.lookUp) }
        if isLoaded {
            let programs = objects.flatMap(\.entryPrograms).filter {
                (linking.only.isEmpty || linking.only.contains($0.name)) && !linking.except.contains($0.name)
            }
            actions += Loader.actions(for: programs, options: loading)
        }
        try Capabilities.ofThisProcess().check(actions)
    }

    /// The imports that nothing which is named offers.
    private static func unanswered(
        _ members: [GraphMember], _ requested: [String], _ libraries: [ProviderSnapshot]
    ) -> Set<String> {
        var names = Set(members.flatMap { $0.object.imports.map(\.name) }).subtracting(requested)
        for library in libraries { names.subtract(library.exports.map(\.name)) }
        for member in members where member.offersExports { names.subtract(member.object.exports.map(\.name)) }
        return names
    }
}

/// One import, and where it is to be taken from.
public struct RequestedImport: Sendable {
    public enum Source: Sendable {
        case program(ProgramSelector)
        /// Another of the objects, by its position in ``LoadRequest/objects``.
        case object(Int)
    }

    public var function: String
    public var source: Source

    public init(_ function: String, from source: Source) {
        self.function = function
        self.source = source
    }
}

/// What was decided, with the providers held open: they cannot go away before it is loaded.
public struct PlannedLoad: Sendable {
    /// The plan, to be looked at.
    public let graph: GraphPlan
    /// Why the running kernel could not be asked what it can do. The plan is that for a kernel with calls by FD and name then; nil
    /// if it was asked, or if its answer makes no difference.
    public let refusal: Errno?
    private let providers: [OpenProgram]
    private let options: LoadOptions

    init(graph: GraphPlan, providers: [OpenProgram], options: LoadOptions, refusal: Errno?) {
        self.graph = graph
        self.refusal = refusal
        self.providers = providers
        self.options = options
    }

    /// Checks what ``load()`` would refuse on any kernel, for who only wants to see the plan.
    ///
    /// - Throws: ``BPFKernel/KernelError`` if a program is of no known type, or of one that it cannot be loaded as, or if there is nothing
    ///   to attach.
    public func check() throws(KernelError) {
        try Loader.checkTypes(graph, options: options)
    }

    /// Loads everything, or nothing.
    ///
    /// - Returns: the owners of what was loaded, in the order of loading. What is neither pinned nor passed on goes away with them.
    /// - Throws: ``BPFKernel/KernelError``; then nothing is left of the attempt.
    public func load() throws(KernelError) -> [LoadedObject] {
        try Loader.load(graph, providers: providers, options: options)
    }
}

/// Loaded programs that objects may import from; each is opened once, however many selectors name it.
private struct Providers {
    private(set) var opened: [OpenProgram] = []
    private var snapshots: [ProgramSelector: ProviderSnapshot] = [:]

    mutating func open(_ selector: ProgramSelector) throws(KernelError) -> ProviderSnapshot {
        if let known = snapshots[selector] { return known }
        let program = try OpenProgram.open(selector)
        let snapshot = try program.providerSnapshot(namedAs: selector)
        snapshots[selector] = snapshot
        opened.append(program)
        return snapshot
    }

    /// Looks through directories as long as there are names that none of those before has.
    mutating func search(_ path: [LibraryPath], for names: Set<String>) throws -> [[ProviderSnapshot]] {
        var names = names
        var found: [[ProviderSnapshot]] = []
        for directory in path {
            // A directory that is not there is a mistake even if it would not be needed.
            let pins = try directory.pins()
            if names.isEmpty || pins.isEmpty { continue }
            try Capabilities.ofThisProcess().check([.lookUp])
            let libraries = try directory.libraries()
            opened += libraries.map(\.program)
            found.append(libraries.map(\.snapshot))
            for library in libraries { names.subtract(library.snapshot.exports.map(\.name)) }
        }
        return found
    }
}
