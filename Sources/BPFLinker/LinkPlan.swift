// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
public import BPFObject

/// Everything that linking an object decided; nothing has been done yet.
public struct LinkPlan: Sendable {
    public let object: Object
    /// One per import of the object, in the object's order.
    public let bindings: [Binding]
    /// The distinct providers that are called, by slot.
    public let providers: [ProviderSnapshot]
    /// The instructions that change, in the order of sections and instructions.
    public let fixups: [Fixup]
    /// The entry program that a library gets; nil if the object has programs of its own or exports nothing.
    public let syntheticEntry: SyntheticEntry?

    /// Whether loading needs nothing that libbpf alone cannot do: no call to another program and no export.
    public var isPlain: Bool { providers.isEmpty && object.exports.isEmpty }

    /// The object as libbpf can open it, with everything in place that was decided.
    ///
    /// - Returns: the bytes of an ELF object; the object's own bytes if nothing was to be changed.
    /// - Throws: if the object's tables have no room for what has to be added.
    public func rewrittenObject() throws(ObjectError) -> [UInt8] {
        let unresolved = bindings.filter { if case .unresolved = $0.target { true } else { false } }
        return try ELFRewriter.rewrite(
            object, fixups: fixups, unresolved: unresolved.map(\.import), entry: syntheticEntry)
    }
}
