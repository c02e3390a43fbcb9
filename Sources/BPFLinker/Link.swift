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
    /// When imported functions are verified. nil leaves it to the import and its provider, and in ``LinkMode/auto`` to the kernel:
    /// once where the provider exports the function, and with the importer where the author marked one of them, where it is offered
    /// in this way only, and for programs to which the kernel refuses the import. Else it is as said, or not at all.
    public var verification: Verification?
    /// Whether the kernel has calls by FD and name; ``LinkMode/auto`` goes by it.
    public var kernelHasCalls = true
    /// Whether the kernel can keep functions, so that they are verified with their importers.
    public var kernelHasBodies = false
    var refusals = Refusals()

    /// Whether nothing is to be called by FD and name.
    var copiesOnly: Bool { mode == .copy || mode == .auto && !kernelHasCalls }

    /// Whether copies may be global functions. Where programs export, global functions are exports, and copies are none.
    var verifiesCopiesOnce: Bool { copiesOnly && !refusals.copiesAsGlobals }

    /// Whether providers keep their functions.
    var keepsBodies: Bool { kernelHasBodies && !copiesOnly }

    /// When a function that an object offers is verified at the earliest; nil if it can be copied only.
    func verification(of export: Export) -> Verification? {
        if copiesOnly { return nil }
        let isRefused = mode == .auto && refusals.exports[export.name] != nil
        if export.function.role == .exported, !isRefused { return .once }
        return kernelHasBodies && refusals.bodies[export.name] == nil ? .chain : nil
    }

    /// The functions of a library that the kernel refused to export.
    func refusedExports(of object: Object) -> [Export] {
        guard object.isLibrary, mode == .auto else { return [] }
        return object.exports.filter { refusals.exports[$0.name] != nil }
    }

    /// Whether an object is a library of which nothing can be called: the kernel gets its maps and its file.
    func carriesOnly(_ object: Object) -> Bool {
        object.isLibrary && object.exports.allSatisfy { verification(of: $0) == nil }
    }

    public init(entrySection: String = "socket") { self.entrySection = entrySection }
}
