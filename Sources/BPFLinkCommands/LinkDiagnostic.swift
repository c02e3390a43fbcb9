// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLink

extension Diagnostic {
    /// A file that is no object, or one that cannot be linked.
    init(_ error: ObjectError, in file: String) {
        self.init(
            code: error.code.rawValue, Self.isAboutFile(error) ? "\(file) \(error)" : "\(file): \(error)",
            places: LinkExplanation.places(error.sites),
            help: error.help.map { [$0] } ?? [],
            facts: [
                "offset": error.offset.map { .integer($0.value) }, "cause": error.cause.map(JSONValue.string),
                "sites": Self.facts(error.sites),
            ])
    }

    /// Whether the error says something of the whole file, which is the subject of its message then: its first word is a verb.
    private static func isAboutFile(_ error: ObjectError) -> Bool {
        ["is", "has", "states", "cannot"].contains(error.message.prefix { $0 != " " })
    }

    /// A reason why an object cannot be linked.
    ///
    /// - Parameters:
    ///   - object: how the object is named.
    ///   - directories: those that were named to be searched for libraries.
    init(_ error: LinkError, in object: String, searching directories: [String] = []) {
        let words = LinkExplanation(error, in: object, searching: directories)
        self.init(
            code: words.code, words.message, places: words.places, notes: words.notes, help: words.help, facts: Self.facts(error))
    }

    private static func facts(_ error: LinkError) -> KeyValuePairs<String, JSONValue?> {
        switch error {
        case .undefinedImport(let wanted, _, _, _), .noSuchExport(_, let wanted, _), .conflictingRequests(let wanted, _),
            .ambiguous(let wanted, _), .notCallable(let wanted, _), .notVerifiable(let wanted, _, _), .notCopyable(let wanted, _):
            ["import": .string(wanted.name), "prototype": .string("\(wanted.prototype)"), "sites": facts(wanted.sites)]
        case .prototypeMismatch(let wanted, _, let export, let difference):
            [
                "import": .string(wanted.name), "expected": .string("\(export.prototype)"),
                "found": .string("\(wanted.prototype)"), "difference": .string("\(difference)"), "sites": facts(wanted.sites),
            ]
        case .notImported(let request, _, _): ["import": .string(request.name)]
        case .unsupportedUse(let wanted, let site, _): ["import": .string(wanted.name), "sites": facts([site])]
        case .noSuchProgram(let name, _, _): ["program": .string(name)]
        case .notCarried(let name, _): ["import": .string(name)]
        case .circularImports(let chains): ["calls": .array(chains.compactMap { JSONValue.strings($0.map(\.description)) })]
        case .nothingToLoad, .nothingChosen, .tooManyProviders: [:]
        }
    }

    private static func facts(_ sites: [ImportSite]) -> JSONValue? {
        sites.isEmpty ? nil : .array(sites.map(JSONValue.init))
    }
}
