// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
public import BPFObject

/// Links an object against snapshots of providers.
///
/// Pure: the same answer for the same values, nothing is loaded or changed.
///
/// - Parameters:
///   - object: the importer; an object without imports links trivially.
///   - imports: decisions for single imports; they win over `libraries`.
///   - libraries: providers that offer all their exports. A name that two of them offer must be decided by `imports`.
///   - searchPath: more of them, searched for what the libraries do not offer: the first of the lists that has a name decides,
///     and within it only one provider may offer the name.
///   - options: see ``LinkOptions``.
/// - Returns: the plan; every import is bound or, if weak, poisoned.
/// - Throws: every reason at once.
public func link(
    _ object: Object, imports: [ImportRequest] = [], libraries: [ProviderSnapshot] = [],
    searchPath: [[ProviderSnapshot]] = [], options: LinkOptions = LinkOptions()
) throws(LinkErrors) -> LinkPlan {
    var resolver = Resolver(object: object, requests: imports, libraries: [libraries] + searchPath, options: options)
    return try resolver.plan()
}

/// What the user may choose about linking.
public struct LinkOptions: Sendable {
    /// The section, and so the program type, of the entry program that a library without one gets.
    public var entrySection: String
    /// Whether functions that several programs of the object call are loaded once, as a provider of their own.
    public var shares = false
    /// The programs to load, by name; empty for all but those of `?` sections, which libbpf loads on demand only.
    public var only: [String] = []
    /// Programs that are not to be loaded, by name.
    public var except: [String] = []
    /// How imports are bound, and what becomes of a library.
    public var mode = LinkMode.auto
    /// Whether the kernel has calls by FD and name; ``LinkMode/auto`` goes by it.
    public var kernelHasCalls = true
    var refusals = Refusals()

    /// Whether nothing is to be called by FD and name.
    var copiesOnly: Bool { mode == .copy || mode == .auto && !kernelHasCalls }

    /// The functions of a library that the kernel refused to export.
    func refusedExports(of object: Object) -> [Export] {
        guard object.isLibrary, mode == .auto else { return [] }
        return object.exports.filter { refusals.exports[$0.name] != nil }
    }

    /// Whether an object is a library of which nothing is to be exported: the kernel gets its maps and its file.
    func carriesOnly(_ object: Object) -> Bool {
        object.isLibrary && (copiesOnly || refusedExports(of: object).count == object.exports.count)
    }

    public init(entrySection: String = "socket") { self.entrySection = entrySection }
}
