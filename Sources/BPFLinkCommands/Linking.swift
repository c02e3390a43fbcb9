// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLink

// What `load` does before anything is loaded: it asks for the objects to be linked, in the words of its options.

extension LoadCommand {
    /// - Returns: the plan, with the providers that were opened for it.
    func link(_ objects: [Object]) throws -> PlannedLoad {
        try Self.checkDistinct(objects)
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
            throw Diagnostics(error.errors.map { Diagnostic($0.error, in: $0.object, searching: libraryPath) })
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

    /// One file is one object: loaded twice it would have everything twice, and two providers of each name.
    private static func checkDistinct(_ objects: [Object]) throws {
        var names: [FileIdentity: String] = [:]
        for object in objects {
            guard let identity = FileIdentity(of: object.name) else { continue }
            guard let first = names.updateValue(object.name, forKey: identity) else { continue }
            throw Diagnostic(
                code: "same-object",
                first == object.name ? "\(first) is given twice" : "\(first) and \(object.name) are one file",
                help: ["name each object once; a copy of the file is an object of its own"])
        }
    }

    /// The object that is the file, however the path is spelled; else the one whose path ends so.
    private static func position(of name: String, in objects: [Object]) throws -> Int {
        let file = FileIdentity(of: name)
        let same = objects.indices.filter { objects[$0].name == name || file != nil && FileIdentity(of: objects[$0].name) == file }
        let matches = same.isEmpty ? objects.indices.filter { objects[$0].name.hasSuffix("/" + name) } : same
        guard let match = matches.first, matches.count == 1 else {
            throw Diagnostic(
                code: matches.isEmpty ? "not-found" : "ambiguous",
                "`object=\(name)` names \(matches.isEmpty ? "none" : "\(matches.count)") of the objects",
                notes: objects.map { "object: \($0.name)" })
        }
        return match
    }
}
