// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
public import BPFObject

/// One of several objects that are linked together.
public struct GraphMember: Sendable {
    public let object: Object
    /// Whether the others may import from it; of libraries they always may.
    public let offersExports: Bool

    public init(_ object: Object, offersExports: Bool = false) {
        self.object = object
        self.offersExports = offersExports || object.isLibrary
    }
}

/// A wish that names one of the objects, not a loaded program: `--import object=PATH:NAME`.
public struct MemberRequest: Hashable, Sendable {
    public let name: String
    /// The object's position.
    public let member: Int

    public init(name: String, member: Int) {
        self.name = name
        self.member = member
    }
}

/// All reasons why objects cannot be linked together; never empty.
public struct GraphErrors: Error, Sendable, CustomStringConvertible {
    /// Each with the name of the object that it is about.
    public let errors: [(object: String, error: LinkError)]

    /// Each in words.
    public var explanations: [LinkExplanation] { errors.map { LinkExplanation($0.error, in: $0.object) } }

    public var description: String { explanations.map(\.description).joined(separator: "\n") }
}

/// Links objects to each other and to loaded providers, and finds the order in which they have to be loaded.
///
/// Pure, as ``link(_:imports:libraries:searchPath:options:)``, whose rules hold for each object: the others are libraries to it
/// like those that are given.
///
/// - Parameters:
///   - members: the objects, in any order.
///   - imports: decisions for imports of any of the objects.
///   - memberImports: decisions for imports that name one of the objects.
///   - libraries: providers that offer all their exports to all objects.
///   - searchPath: more of them, searched for what nothing else offers.
///   - options: the names of programs in them are those of all objects.
/// - Throws: every reason at once; of objects that import from each other, the first circle.
public func link(
    _ members: [GraphMember], imports: [ImportRequest] = [], memberImports: [MemberRequest] = [],
    libraries: [ProviderSnapshot] = [], searchPath: [[ProviderSnapshot]] = [], options: LinkOptions = LinkOptions()
) throws(GraphErrors) -> GraphPlan {
    let linker = GraphLinker(
        members: members, imports: imports, memberImports: memberImports, libraries: libraries, searchPath: searchPath,
        options: options)
    return try linker.plan()
}

private struct GraphLinker {
    let members: [GraphMember]
    let imports: [ImportRequest]
    let memberImports: [MemberRequest]
    let libraries: [ProviderSnapshot]
    let searchPath: [[ProviderSnapshot]]
    let options: LinkOptions
    /// Which of the objects offer a function that one of them imports.
    private let offering: [String: [Int]]

    init(
        members: [GraphMember], imports: [ImportRequest], memberImports: [MemberRequest], libraries: [ProviderSnapshot],
        searchPath: [[ProviderSnapshot]], options: LinkOptions
    ) {
        self.members = members
        self.imports = imports
        self.memberImports = memberImports
        self.libraries = libraries
        self.searchPath = searchPath
        self.options = options
        var offering: [String: [Int]] = [:]
        for member in members {
            for wanted in member.object.imports { offering[wanted.name] = [] }
        }
        for (number, member) in members.enumerated() where member.offersExports && !offering.isEmpty {
            for export in member.object.exports where offering[export.name] != nil { offering[export.name]?.append(number) }
        }
        self.offering = offering
    }

    func plan() throws(GraphErrors) -> GraphPlan {
        let order = try order(dependencies())
        var errors = requestErrors()
        var planned: [Int: ProviderSnapshot] = [:]
        var failed: Set<Int> = []
        var steps: [GraphPlan.Step] = []
        for number in order {
            do throws(LinkErrors) {
                let plan = try plan(number, planned)
                steps.append(GraphPlan.Step(number: number, plan: plan))
                if members[number].offersExports {
                    planned[number] = snapshot(number, imports: plan.boundProviders.compactMapValues(\.carried))
                }
            } catch {
                let own = error.errors.filter { !isConsequence($0, of: failed) }
                errors += own.map { (members[number].object.name, withWithheld($0, by: number)) }
                failed.insert(number)
                // What imports from it shall not be told that it is not there.
                planned[number] = snapshot(number)
            }
        }
        guard errors.isEmpty else { throw GraphErrors(errors: errors) }
        return GraphPlan(steps: steps)
    }

    private func plan(_ number: Int, _ planned: [Int: ProviderSnapshot]) throws(LinkErrors) -> LinkPlan {
        let object = members[number].object
        let names = Set(object.imports.map(\.name))
        var requests = imports.filter { names.contains($0.name) || members.count == 1 }
        for request in memberImports where request.member != number && names.contains(request.name) {
            if let provider = planned[request.member] { requests.append(ImportRequest(name: request.name, provider: provider)) }
        }
        let others = members.indices.filter { $0 != number && members[$0].offersExports }
        let wanted = Set(names.flatMap { offering[$0] ?? [] })
        let near = others.filter(wanted.contains)
        func link(to chosen: [Int]) throws(LinkErrors) -> LinkPlan {
            // Nothing is imported from what comes later, but it was searched as well.
            try BPFLinker.link(
                object, imports: requests, libraries: chosen.map { planned[$0] ?? snapshot($0) } + libraries,
                searchPath: searchPath, options: options(for: object))
        }
        do throws(LinkErrors) {
            return try link(to: near)
        } catch {
            // What was searched, and which names are near, is told of all of them.
            return try link(to: others)
        }
    }

    private func snapshot(_ number: Int, imports: [String: Carried] = [:]) -> ProviderSnapshot {
        ProviderSnapshot(planned: members[number].object, number: number, options, imports: imports)
    }

    /// Names of programs choose among those of all objects.
    private func options(for object: Object) -> LinkOptions {
        guard members.count > 1 else { return options }
        var options = options
        let names = object.entryPrograms.map(\.name)
        // A name that no object has is told once, and is no choice.
        let isChoice = options.only.contains { name in members.contains { $0.object.entryPrograms.contains { $0.name == name } } }
        options.only = options.only.filter(names.contains)
        // An object of whose programs none is wanted has nothing to be loaded, and says so.
        options.except = isChoice && options.only.isEmpty ? names : options.except.filter(names.contains)
        return options
    }

    // MARK: Mistakes

    /// Whether an error only says that an object, which has errors of its own, has not got what it imports.
    private func isConsequence(_ error: LinkError, of failed: Set<Int>) -> Bool {
        guard case .notCarried(_, let provider) = error, let number = provider.plannedNumber else { return false }
        return failed.contains(number)
    }

    /// The error with the objects that have what is missing and do not offer it.
    private func withWithheld(_ error: LinkError, by importer: Int) -> LinkError {
        guard case .undefinedImport(let wanted, let searched, let candidates, _) = error else { return error }
        let withheld = members.enumerated().filter { number, member in
            number != importer && !member.offersExports && member.object.exports.contains { $0.name == wanted.name }
        }
        return .undefinedImport(
            wanted, searched: searched, candidates: candidates, withheld: withheld.map { $0.element.object.name })
    }

    /// With several objects, a request for what none of them imports, or a choice of a program that none has, is a mistake.
    private func requestErrors() -> [(object: String, error: LinkError)] {
        guard members.count > 1 else { return [] }
        let imported = members.flatMap { $0.object.imports.map(\.name) }
        let programs = members.flatMap { $0.object.entryPrograms.map(\.name) }
        let all = "the set of \(members.count) objects"
        var errors: [(object: String, error: LinkError)] = []
        for request in imports where !imported.contains(request.name) {
            errors.append((all, .notImported(request, imports: imported, similar: similarNames(to: request.name, in: imported))))
        }
        for name in options.only + options.except where !programs.contains(name) {
            errors.append((all, .noSuchProgram(name, programs: programs, similar: similarNames(to: name, in: programs))))
        }
        return errors
    }

    // MARK: Order

    /// An object that imports from another.
    private struct Dependency {
        let importer: Int
        let wanted: Import
        let provider: Int
    }

    /// All that objects may have to import from each other: of a name that two offer, from both.
    private func dependencies() -> [[Dependency]] {
        let requested = Dictionary(memberImports.map { ($0.name, $0.member) }, uniquingKeysWith: { a, _ in a })
        let decided = Set(imports.map(\.name))
        return members.enumerated().map { number, member in
            member.object.imports.flatMap { wanted -> [Dependency] in
                if decided.contains(wanted.name) { return [] }
                let providers = requested[wanted.name].map { [$0] } ?? offering[wanted.name] ?? []
                return providers.filter { $0 != number }.map { Dependency(importer: number, wanted: wanted, provider: $0) }
            }
        }
    }

    /// Providers first; depth first from each object in the given order.
    private func order(_ dependencies: [[Dependency]]) throws(GraphErrors) -> [Int] {
        var order: [Int] = []
        var isDone = Array(repeating: false, count: members.count)
        var path: [(member: Int, next: Int)] = []
        for start in members.indices where !isDone[start] {
            path = [(start, 0)]
            while let (member, next) = path.last {
                guard next < dependencies[member].count else {
                    isDone[member] = true
                    order.append(member)
                    path.removeLast()
                    continue
                }
                path[path.count - 1].next += 1
                let provider = dependencies[member][next].provider
                if isDone[provider] { continue }
                if let first = path.firstIndex(where: { $0.member == provider }) {
                    let circle = path[first...].map { dependencies[$0.member][$0.next - 1] }
                    throw GraphErrors(errors: [(members[provider].object.name, .circularImports(chains(of: circle)))])
                }
                path.append((provider, 0))
            }
        }
        return order
    }

    /// The whole way round, function by function: who imports, what is imported, and back to where it began.
    private func chains(of circle: [Dependency]) -> [[LinkError.Place]] {
        let users = circle.indices.map { user(of: circle[$0], after: circle[($0 + circle.count - 1) % circle.count]) }
        // It begins where no call leads to, if there is such a place: then the last chain ends there.
        let start = users.firstIndex { !$0.isReached } ?? 0
        var chains: [[LinkError.Place]] = []
        for index in circle.indices.map({ ($0 + start) % circle.count }) {
            let (dependency, user) = (circle[index], users[index])
            if chains.isEmpty || !user.isReached { chains.append([]) }
            if let function = user.function { extend(&chains, dependency.importer, function) }
            extend(&chains, dependency.provider, dependency.wanted.name)
        }
        if users[start].isReached, let function = users[start].function { extend(&chains, circle[start].importer, function) }
        return chains
    }

    /// Adds a place to the last chain, unless that is where the chain is already.
    private func extend(_ chains: inout [[LinkError.Place]], _ member: Int, _ function: String) {
        let place = LinkError.Place(object: members[member].object.name, function: function)
        if chains[chains.count - 1].last != place { chains[chains.count - 1].append(place) }
    }

    /// The function by which an object imports: one that is called by what others import from the object, if there is one.
    private func user(of dependency: Dependency, after previous: Dependency) -> (function: String?, isReached: Bool) {
        let object = members[dependency.importer].object
        let users = dependency.wanted.sites.map(\.function)
        let entry = object.functions.firstIndex { $0.name == previous.wanted.name }
        let reached = entry.map { Set(object.reachableFunctions(from: $0).map { object.functions[$0].name }) } ?? []
        if let user = users.first(where: reached.contains) { return (user, true) }
        return (users.first, false)
    }
}
