// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
public import BPFObject

/// Which provider's file descriptor a call uses: the position in ``LinkPlan/providers``.
///
/// The loader puts the providers into `fd_array` in this order and adds the position of the first to every call.
public struct ProviderSlot: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let value: Int

    public init(_ value: Int) { self.value = value }

    public static func < (a: Self, b: Self) -> Bool { a.value < b.value }

    public var description: String { String(value) }
}

/// An import and what was decided for it, before anything is loaded. Where the kernel refuses it to some of the programs, there are
/// several bindings of the import: one for the calls of the others, and one for each way in which those programs come to it instead.
public struct Binding: Sendable {
    // Indirect, for bindings are handed on often and what they lead to is large.
    public indirect enum Target: Sendable {
        /// Calls go to this function of the provider in the slot, which is verified as said.
        case call(ProviderExport, ProviderSlot, Verification)
        /// Calls go to a copy of this function of the provider, which the object is given.
        case copy(ProviderExport, ProviderSnapshot)
        /// A weak import that nobody provides, or one that nothing uses of what is loaded: calls carry this immediate, which no
        /// helper has; the address is 0.
        case unresolved(poison: Int32)
    }

    /// Why calls are not bound as others are: the kernel refused the import to these programs.
    public struct Refusal: Hashable, Sendable {
        /// In the order of the object.
        public let programs: [String]
        /// In the kernel's words, line by line.
        public let words: [String]

        public init(programs: [String], words: [String]) {
            self.programs = programs
            self.words = words
        }
    }

    /// The import, with those of its sites that the binding is for.
    public let `import`: Import
    public let target: Target
    /// Empty unless the target is what it is because of them.
    public let refusals: [Refusal]

    /// When the function is verified that is called in the provider; nil if none is.
    public var verification: Verification? {
        if case .call(_, _, let verification) = target { verification } else { nil }
    }

    public init(_ import: Import, to target: Target, refusals: [Refusal] = []) {
        self.import = `import`
        self.target = target
        self.refusals = refusals
    }
}
