// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject

extension Diagnostic {
    /// A file that is no object, or one that cannot be linked.
    init(_ error: ObjectError, in file: String) {
        self.init(
            code: error.code.rawValue, "\(file): \(error)", places: Self.places(error.sites), help: error.help.map { [$0] } ?? [])
    }

    /// A reason why an object cannot be linked.
    init(_ error: LinkError) {
        switch error {
        case .undefinedImport(let wanted, let searched, let candidates):
            self.init(
                code: "undefined-import", "undefined import `\(wanted.name)`", places: Self.places(wanted.sites),
                notes: searched.isEmpty ? ["no provider was named"] : ["searched \(Self.list(searched))"],
                help: candidates.isEmpty ? ["`--import REF:\(wanted.name)` names the provider"] : Self.help(candidates))
        case .noSuchExport(let request, _, let candidates):
            self.init(
                code: "no-such-export", "\(request.provider) exports no `\(request.name)`",
                notes: ["it exports " + request.provider.exports.map { "`\($0.name)`" }.joined(separator: ", ")],
                help: Self.help(candidates))
        case .notImported(let request, let imports, let similar):
            self.init(
                code: "not-imported", "`\(request.text)`: the object does not import `\(request.name)`",
                notes: imports.isEmpty ? ["it imports nothing"] : ["it imports " + imports.map { "`\($0)`" }.joined(separator: ", ")],
                help: similar.map { "did you mean `\($0)`?" })
        case .conflictingRequests(let wanted, let requests):
            self.init(
                code: "conflicting-requests", "`\(wanted.name)` is asked for from several providers",
                notes: requests.map { "`--import \($0.text)`" }, help: ["keep one of them"])
        case .ambiguous(let wanted, let providers):
            self.init(
                code: "ambiguous-import", "several providers export `\(wanted.name)`", places: Self.places(wanted.sites),
                notes: providers.map { "\($0)" }, help: ["`--import REF:\(wanted.name)` decides"])
        case .prototypeMismatch(let wanted, let provider, let export, let difference):
            self.init(
                code: "prototype-mismatch", "`\(wanted.name)` of \(provider) is not what the object was compiled against",
                places: Self.places(wanted.sites),
                notes: ["expected `\(export.prototype)`", "found    `\(wanted.prototype)`", difference.description])
        case .unsupportedUse(let wanted, let site, let reason):
            self.init(
                code: "unsupported-use", "`\(wanted.name)` is used in a way that cannot be linked: \(reason)",
                places: Self.places([site]))
        case .nothingToLoad:
            self.init(
                code: "nothing-to-load", "the object has no program and exports no function",
                help: ["global functions are exported; static and hidden ones are not"])
        case .tooManyProviders(let count, let limit):
            self.init(code: "too-many-providers", "\(count) providers are more than the \(limit) that calls can tell apart")
        }
    }

    /// At most three places, and how many there are besides.
    private static func places(_ sites: [ImportSite]) -> [String] {
        var places = sites.prefix(3).map { "referenced by \($0)" }
        if sites.count > 3 { places.append("referenced \(sites.count - 3) more times") }
        return places
    }

    private static func list(_ providers: [ProviderSnapshot]) -> String {
        "\(providers.count) provider\(providers.count == 1 ? "" : "s"): "
            + providers.map(\.description).joined(separator: ", ")
    }

    private static func help(_ candidates: [LinkError.Candidate]) -> [String] {
        candidates.prefix(3).map {
            "did you mean `\($0.export.name)` of \($0.provider.reference)?" + ($0.agrees ? " it has the same type" : "")
        }
    }
}
