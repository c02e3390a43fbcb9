// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
public import BPFObject

/// All reasons why an object cannot be linked; never empty.
public struct LinkErrors: Error, Sendable {
    public let errors: [LinkError]
}

/// One reason why an object cannot be linked.
public enum LinkError: Error, Sendable {
    /// No provider has a function that the object needs.
    /// - searched: the providers that were looked at; candidates: exports with a similar name, best first; withheld: the names of
    ///   those of the objects linked together that have the function and do not offer it (``GraphMember/offersExports``).
    case undefinedImport(Import, searched: [ProviderSnapshot], candidates: [Candidate], withheld: [String])
    /// A request names a provider that does not export the function.
    case noSuchExport(ImportRequest, `import`: Import, candidates: [Candidate])
    /// A request names a function that the object does not import; similar names of its imports, best first.
    case notImported(ImportRequest, imports: [String], similar: [String])
    /// Two requests take one import from different providers.
    case conflictingRequests(Import, [ImportRequest])
    /// Several providers offer the function and no request decides.
    case ambiguous(Import, [ProviderSnapshot])
    /// The prototype that the object was compiled against is not the provider's.
    case prototypeMismatch(Import, provider: ProviderSnapshot, export: ProviderExport, difference: PrototypeDifference)
    /// The address of an import is used where the instruction that uses it cannot be adjusted.
    case unsupportedUse(Import, ImportSite, reason: String)
    /// An object without programs that exports nothing either.
    case nothingToLoad
    /// A program to be loaded, or not to be, that the object does not have; similar names of its programs, best first.
    case noSuchProgram(String, programs: [String], similar: [String])
    /// Of the object's programs none is to be loaded.
    case nothingChosen(programs: [String])
    /// The provider's functions cannot be called by FD and name: it only carries its object, to be copied from.
    case notCallable(Import, provider: ProviderSnapshot)
    /// The provider's function cannot be verified as it is asked for.
    case notVerifiable(Import, Verification, provider: ProviderSnapshot)
    /// The provider's functions cannot be copied: it carries no object.
    case notCopyable(Import, provider: ProviderSnapshot)
    /// What the provider carries lacks a function that is to be copied.
    case notCarried(String, provider: ProviderSnapshot)
    /// Objects that import from each other: the way round, as chains of calls. Where a chain ends, the next one, and after the last
    /// the first, begins with another function of the same object. One chain that ends where it begins is a circle of calls.
    case circularImports([[Place]])
    /// More providers than a call can tell apart.
    case tooManyProviders(Int, limit: Int)

    /// A function of an object.
    public struct Place: Hashable, Sendable, CustomStringConvertible {
        public let object: String
        public let function: String

        /// For example `lib.bpf.o:lib_add`.
        public var description: String { "\(object):\(function)" }
    }

    /// A function that may have been meant.
    public struct Candidate: Sendable {
        public let provider: ProviderSnapshot
        public let export: ProviderExport
        /// Whether its name is so near that it may have been meant.
        public let isNear: Bool
        /// Whether it has the prototype that is asked for.
        public let agrees: Bool
    }
}
