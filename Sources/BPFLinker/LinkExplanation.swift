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
    /// - Parameter object: how the object is named.
    public init(_ error: LinkError, in object: String) {
        switch error {
        case .undefinedImport(let wanted, let searched, let candidates):
            self.init(
                code: "undefined-import", "undefined import `\(wanted.name)` in \(object)",
                places: Self.places(wanted.sites),
                notes: [searched.isEmpty ? "no provider was named" : "searched \(Self.list(searched))"],
                help: candidates.isEmpty
                    ? [
                        "`--import REF:\(wanted.name)` takes it from a loaded program, `--library REF` all that a program exports"
                    ] : Self.help(candidates, for: wanted))
        case .noSuchExport(let request, let wanted, let candidates):
            let exports = request.provider.exports.map(\.name)
            self.init(
                code: "no-such-export", "\(request.provider) exports no `\(request.name)`",
                places: Self.places(wanted.sites),
                notes: [exports.isEmpty ? "it exports nothing" : "it exports \(Self.list(exports))"],
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
                code: "ambiguous-import", "several providers export `\(wanted.name)`, which \(object) imports",
                places: Self.places(wanted.sites), notes: providers.map { "\($0) exports it" },
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
                help: ["load the provider without `--no-carry`, or import with `--mode kernel`"])
        case .notCarried(let name, let provider):
            self.init(
                code: "not-copyable", "`\(name)` cannot be copied from \(provider)",
                notes: ["the object that the provider carries does not have it"])
        case .circularImports(let places):
            let way = places.map(\.description)
            self.init(
                code: "circular-imports", "objects import from each other: \(way.joined(separator: " → "))",
                notes: ["a provider is there before its importers, so one of the objects would have to be loaded before itself"],
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
