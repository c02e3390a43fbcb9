// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import BPFLinker
import BPFObject

// What `load` does before anything is loaded: it opens the providers and links the objects to them.

extension LoadCommand {
    /// - Returns: the plan, and the providers that were opened for it.
    func link(_ objects: [Object]) throws -> (GraphPlan, opened: [OpenProgram]) {
        try checkCapabilities(objects)
        if mode == .kernel, !imports.isEmpty || !library.isEmpty { try Features.requireFunctionCalls() }

        var providers = Providers()
        var requests: [ImportRequest] = []
        var memberRequests: [MemberRequest] = []
        for argument in imports {
            switch argument.source {
            case .program(let selector):
                requests.append(ImportRequest(name: argument.function, provider: try providers.open(selector)))
            case .object(let name):
                memberRequests.append(MemberRequest(name: argument.function, member: try Self.position(of: name, in: objects)))
            }
        }
        let libraries = try library.map { try providers.open($0) }
        let members = objects.map { GraphMember($0, offersExports: export) }
        let searchPath = try providers.search(
            libraryPath.map { LibraryPath($0) } + [.standard],
            for: Self.unanswered(members, requests.map(\.name) + memberRequests.map(\.name), libraries))
        do throws(GraphErrors) {
            let graph = try BPFLinker.link(
                members, imports: requests, memberImports: memberRequests, libraries: libraries, searchPath: searchPath,
                options: linkOptions)
            return (graph, providers.opened)
        } catch {
            throw Diagnostics(error.errors.map { Diagnostic($0.error, in: $0.object) })
        }
    }

    private var linkOptions: LinkOptions {
        var options = LinkOptions()
        if let type { options.entrySection = type }
        options.mode = mode
        options.kernelHasCalls = dryRun || mode != .auto || Features.functionCalls() != .absent
        options.shares = share ?? true
        options.only = Self.names(only)
        options.except = Self.names(except)
        return options
    }

    /// Asks for capabilities before the first provider is opened.
    private func checkCapabilities(_ objects: [Object]) throws {
        let selectors = library + imports.compactMap { if case .program(let selector) = $0.source { selector } else { nil } }
        var actions = selectors.flatMap(\.actions)
        if !selectors.isEmpty { actions.append(.lookUp) }
        if !dryRun {
            let programs = objects.flatMap(\.entryPrograms).filter {
                (only.isEmpty || Self.names(only).contains($0.name)) && !Self.names(except).contains($0.name)
            }
            actions += Loader.actions(for: programs, options: options)
        }
        try Capabilities.ofThisProcess().check(actions)
    }

    private static func position(of name: String, in objects: [Object]) throws -> Int {
        let matches = objects.indices.filter { objects[$0].name == name || objects[$0].name.hasSuffix("/" + name) }
        guard let match = matches.first, matches.count == 1 else {
            throw Diagnostic(
                code: matches.isEmpty ? "not-found" : "ambiguous",
                "`object=\(name)` names \(matches.isEmpty ? "none" : "\(matches.count)") of the objects",
                notes: objects.map { "object: \($0.name)" })
        }
        return match
    }

    /// The imports that nothing which is named offers.
    private static func unanswered(_ members: [GraphMember], _ requested: [String], _ libraries: [ProviderSnapshot]) -> Set<String> {
        var names = Set(members.flatMap { $0.object.imports.map(\.name) }).subtracting(requested)
        for library in libraries { names.subtract(library.exports.map(\.name)) }
        for member in members where member.offersExports { names.subtract(member.object.exports.map(\.name)) }
        return names
    }
}

/// Loaded programs that objects may import from; each is opened once, however many selectors name it.
private struct Providers {
    private(set) var opened: [OpenProgram] = []
    private var snapshots: [ProgramSelector: ProviderSnapshot] = [:]

    mutating func open(_ selector: ProgramSelector) throws -> ProviderSnapshot {
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
