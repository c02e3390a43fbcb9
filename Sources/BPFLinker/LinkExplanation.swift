// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFObject

/// A reason why something cannot be linked, in words: what, where, why, and what to do.
public struct LinkExplanation: Sendable, Equatable, CustomStringConvertible {
    /// The kind of failure, stable across versions.
    public let code: String
    /// What is wrong: lower case, no full stop, names in backticks.
    public let message: String
    /// The places concerned, at most a few.
    public let places: [String]
    /// Facts that help to see why, one sentence each.
    public let notes: [String]
    /// What the user can do about it, in the words of `bpflink load`.
    public let help: [String]

    private init(code: String, _ message: String, places: [String] = [], notes: [String] = [], help: [String] = []) {
        self.code = code
        self.message = message
        self.places = places
        self.notes = notes
        self.help = help
    }

    /// All of it, on lines of their own.
    public var description: String {
        ([message] + places.map { "  \($0)" } + notes.map { "note: \($0)" } + help.map { "help: \($0)" }).joined(separator: "\n")
    }
}

extension LinkExplanation {
    /// A reason why an object cannot be linked.
    ///
    /// - Parameters:
    ///   - object: how the object is named.
    ///   - directories: those that were named to be searched for libraries.
    public init(_ error: LinkError, in object: String, searching directories: [String] = []) {
        switch error {
        case .undefinedImport(let wanted, let searched, let candidates, let withheld):
            self.init(
                code: "undefined-import", "undefined import `\(wanted.name)` in \(object)",
                places: Self.places(wanted.sites),
                notes: Self.notes(searched, directories, withheld)
                    + withheld.map { "\($0) has `\(wanted.name)`, but does not offer it" },
                help: Self.help(candidates, withheld, for: wanted))
        case .noSuchExport(let request, let wanted, let candidates):
            let exports = request.provider.exports.map(\.name)
            let verb = request.provider.isCallable ? "exports" : "offers copies of"
            self.init(
                code: "no-such-export", "\(request.provider) offers no `\(request.name)`",
                places: Self.places(wanted.sites),
                notes: [exports.isEmpty ? "it offers nothing" : "it \(verb) \(Self.list(exports))"],
                help: Self.help(candidates, for: wanted))
        case .notImported(let request, let imports, let similar):
            self.init(
                code: "not-imported", "`--import \(request.text)`: \(object) does not import `\(request.name)`",
                notes: [imports.isEmpty ? "it imports nothing" : "it imports \(Self.list(imports))"],
                help: similar.map { "did you mean `\($0)`?" })
        case .conflictingRequests(let wanted, let requests):
            self.init(
                code: "conflicting-requests", "import `\(wanted.name)` in \(object) is asked for from several providers",
                notes: requests.map { "`--import \($0.text)` names \($0.provider)" }, help: ["keep one of them"])
        case .ambiguous(let wanted, let providers):
            self.init(
                code: "ambiguous-import", "several providers offer `\(wanted.name)`, which \(object) imports",
                places: Self.places(wanted.sites), notes: providers.map { Self.offer(of: wanted, by: $0) },
                help: ["\(Self.requests(for: wanted, of: providers)) decides"])
        case .prototypeMismatch(let wanted, let provider, let export, let difference):
            self.init(
                code: "prototype-mismatch",
                "import `\(wanted.name)` in \(object) has another prototype than the export of \(provider)",
                places: Self.places(wanted.sites),
                notes: ["expected `\(export.prototype)`", "found    `\(wanted.prototype)`", "\(difference)"],
                help: ["compile \(object) with the provider's declaration of `\(wanted.name)`"])
        case .unsupportedUse(let wanted, let site, let reason):
            self.init(
                code: "unsupported-use", "import `\(wanted.name)` in \(object) cannot be used like this: \(reason)",
                places: Self.places([site]))
        case .nothingToLoad:
            self.init(
                code: "nothing-to-load", "\(object) has no program and exports no function",
                help: ["make a function global, neither `static` nor `__hidden`, to export it"])
        case .noSuchProgram(let name, let programs, let similar):
            self.init(
                code: "no-such-program", "\(object) has no program `\(name)`",
                notes: [programs.isEmpty ? "it has no programs" : "it has \(Self.list(programs))"],
                help: similar.map { "did you mean `\($0)`?" })
        case .nothingChosen(let programs):
            self.init(
                code: "nothing-to-load", "no program of \(object) is left to load",
                notes: [programs.isEmpty ? "it has no programs" : "it has \(Self.list(programs))"])
        case .notCallable(let wanted, let provider):
            self.init(
                code: "not-callable", "import `\(wanted.name)` in \(object) cannot be called in \(provider)",
                places: Self.places(wanted.sites),
                notes: [
                    "the provider does not export \(provider.isCallable ? "it" : "anything") in the kernel; "
                        + "it carries its object, which functions can be copied from"
                ],
                help: ["`--mode copy`, or `auto`, copies the function"])
        case .notVerifiable(let wanted, let verification, let provider):
            let export = provider.export(named: wanted.name)
            self.init(
                code: "not-verifiable",
                verification == .once
                    ? "import `\(wanted.name)` in \(object) cannot be verified once: \(provider) does not export it"
                    : "import `\(wanted.name)` in \(object) cannot be verified with its programs: \(provider) does not keep it",
                places: Self.places(wanted.sites),
                notes: [
                    export?.hasBody == true
                        ? "the provider only keeps the function: the kernel verifies it with each program that imports it"
                        : export?.isCallable == true
                            ? "the provider exports the function: it was verified once, for all importers"
                            : "the function can be copied only"
                ],
                help: [
                    verification == .once && export?.hasBody == true
                        ? "`--verify chain` verifies it with each program, as bpflink does if nothing is said"
                        : "without `--verify` bpflink takes the function as the provider offers it"
                ])
        case .notCopyable(let wanted, let provider):
            self.init(
                code: "not-copyable", "import `\(wanted.name)` in \(object) cannot be copied from \(provider)",
                places: Self.places(wanted.sites), notes: ["the provider does not carry its object"],
                help: [
                    "libraries carry theirs, and what is loaded with `--export`, if not with `--no-carry`; `--mode kernel` needs none"
                ])
        case .notCarried(let name, let provider):
            self.init(
                code: "not-copyable", "`\(name)` cannot be copied from \(provider)",
                notes: ["the object that the provider carries does not have it"])
        case .circularImports(let chains):
            let ways = chains.map { $0.map(\.description) }
            let isClosed = ways.count == 1 && ways[0].first == ways[0].last
            self.init(
                code: "circular-imports",
                "objects import from each other: \(ways.map { $0.joined(separator: " → ") }.joined(separator: ", "))",
                notes: ["a provider is there before its importers, so one of the objects would have to be loaded before itself"]
                    + (isClosed ? [] : ["arrows are calls; where they end, another function of the same object goes on"]),
                help: ["move the functions that both need to a library of their own"])
        case .tooManyProviders(let count, let limit):
            self.init(
                code: "too-many-providers",
                "\(object) imports from \(count) providers; calls can tell \(limit) apart")
        }
    }

    /// At most three places, and how many there are besides.
    public static func places(_ sites: [ImportSite]) -> [String] {
        var places = sites.prefix(3).map { "referenced by \($0)" }
        let more = sites.count - places.count
        if more > 0 { places.append(more == 1 ? "referenced once more" : "referenced \(more) more times") }
        return places
    }

    /// Where an import was looked for.
    private static func notes(_ searched: [ProviderSnapshot], _ directories: [String], _ withheld: [String]) -> [String] {
        if !searched.isEmpty { return ["searched \(list(searched))"] }
        if !directories.isEmpty { return ["searched \(directories.joined(separator: ", ")), where no library is pinned"] }
        return withheld.isEmpty ? ["no provider was named"] : []
    }

    /// What helps where nobody offers an import.
    private static func help(_ candidates: [LinkError.Candidate], _ withheld: [String], for wanted: Import) -> [String] {
        if !withheld.isEmpty { return ["with `--export` objects with programs offer their functions to the others"] }
        if !candidates.isEmpty { return help(candidates, for: wanted) }
        return ["`--import REF:\(wanted.name)` takes it from a loaded program, `--library REF` all that a program exports"]
    }

    /// How a provider offers what is imported.
    private static func offer(of wanted: Import, by provider: ProviderSnapshot) -> String {
        switch provider.export(named: wanted.name)?.verification {
        case .once: "\(provider) exports it"
        case .chain: "\(provider) keeps it to be verified with importers"
        case nil: "\(provider) offers copies of it"
        }
    }

    private static func list(_ providers: [ProviderSnapshot]) -> String {
        "\(providers.count) provider\(providers.count == 1 ? "" : "s"): "
            + providers.map(\.description).joined(separator: ", ")
    }

    /// Names, as many as a line can take.
    private static func list(_ names: [String]) -> String {
        names.prefix(8).map { "`\($0)`" }.joined(separator: ", ")
            + (names.count > 8 ? " and \(names.count - 8) more" : "")
    }

    /// The options that take an import from one of the providers.
    private static func requests(for wanted: Import, of providers: [ProviderSnapshot]) -> String {
        let options = providers.map { provider in
            "`--import \(provider.plannedNumber == nil ? "" : "object=")\(provider.reference):\(wanted.name)`"
        }
        return options.prefix(2).joined(separator: " or ") + (options.count > 2 ? " or …" : "")
    }

    private static func help(_ candidates: [LinkError.Candidate], for wanted: Import) -> [String] {
        candidates.map { candidate in
            let name = "`\(candidate.export.name)` of \(candidate.provider.reference)"
            if candidate.export.name == wanted.name {
                return candidate.agrees
                    ? "\(requests(for: wanted, of: [candidate.provider])) takes it from there" : "\(name) has another type"
            }
            if !candidate.isNear { return "\(name) has the same type" }
            return candidate.agrees ? "did you mean \(name)? it has the same type" : "did you mean \(name)?"
        }
    }
}
