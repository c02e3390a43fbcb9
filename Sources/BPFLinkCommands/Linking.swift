// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLink

// What `load` does before anything is loaded: it asks for the objects to be linked, in the words of its options.

extension LoadCommand {
    /// - Returns: the plan, with the providers that were opened for it.
    func link(_ objects: [Object]) throws -> PlannedLoad {
        var request = LoadRequest(objects)
        request.imports = try imports.map { argument in
            switch argument.source {
            case .program(let selector): RequestedImport(argument.function, from: .program(selector))
            case .object(let name): RequestedImport(argument.function, from: .object(try Self.position(of: name, in: objects)))
            }
        }
        request.libraries = library
        request.searchPath = libraryPath.map { LibraryPath($0) } + [.standard]
        request.linking = linkOptions
        request.loading = options
        do {
            return try request.plan(forLoading: !dryRun)
        } catch let error as GraphErrors {
            throw Diagnostics(error.errors.map { Diagnostic($0.error, in: $0.object) })
        }
    }

    private var linkOptions: LinkOptions {
        var options = LinkOptions()
        if let type { options.entrySection = type }
        options.mode = mode
        options.verification = verify
        options.shares = share ?? true
        options.only = Self.names(only)
        options.except = Self.names(except)
        return options
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
}
