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

/// An import and what was decided for it, before anything is loaded.
public struct Binding: Sendable {
    public enum Target: Sendable {
        /// Calls go to this export of the provider in the slot.
        case export(ProviderExport, ProviderSlot)
        /// Calls go to a copy of this function of the provider, which the object is given.
        case copy(ProviderExport, ProviderSnapshot)
        /// A weak import that nobody provides, or one that nothing uses of what is loaded: calls carry this immediate, which no
        /// helper has; the address is 0.
        case unresolved(poison: Int32)
    }

    public let `import`: Import
    public let target: Target

    public init(_ import: Import, to target: Target) {
        self.import = `import`
        self.target = target
    }
}
