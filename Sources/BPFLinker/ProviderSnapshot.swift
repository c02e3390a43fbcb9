// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
public import BPFObject

/// What a loaded program offered when it was looked at.
///
/// It is a value: the program may be gone since. Whoever loads an importer asks the kernel again, by the provider's FD.
public struct ProviderSnapshot: Sendable {
    /// How the user named it: `7`, `id=17`, `pinned=/sys/fs/bpf/lib`, …
    public let reference: String
    /// The kernel's id of the program; two snapshots with one id are the same provider.
    public let id: UInt32
    /// The program's name in the kernel.
    public let name: String
    /// The program's tag, 16 hexadecimal digits.
    public let tag: String
    /// The program's type in libbpf's words.
    public let type: String
    /// The functions that it offers, be it to be called or to be copied.
    public let exports: [ProviderExport]
    /// The object that functions can be copied from; nil if the provider carries none.
    public let carried: Carried?

    public init(
        reference: String, id: UInt32, name: String, tag: String, type: String, exports: [ProviderExport],
        carried: Carried? = nil
    ) {
        self.reference = reference
        self.id = id
        self.name = name
        self.tag = tag
        self.type = type
        self.exports = exports
        self.carried = carried
    }

    /// Whether any of the functions can be called by FD and name.
    public var isCallable: Bool { exports.contains { !$0.isCopyOnly } }

    /// Whether both are the same program, or programs of one object that were loaded together: then they carry the same map.
    func isOfOneObject(with other: ProviderSnapshot) -> Bool {
        if id == other.id { return true }
        guard let own = carried?.root, let root = other.carried?.root else { return false }
        return own == root
    }

    /// The export of a name, if there is one.
    public func export(named name: String) -> ProviderExport? { exports.first { $0.name == name } }
}

extension ProviderSnapshot: CustomStringConvertible {
    /// For example `pinned=/sys/fs/bpf/lib (lib, id 17)`; of an object that is yet to be loaded, its name.
    public var description: String { plannedNumber == nil ? "\(reference) (\(name), id \(id))" : reference }
}

/// A function that a loaded program offers.
public struct ProviderExport: Sendable {
    /// The function as the provider's own BTF describes it.
    public let prototype: Prototype
    /// Whether the kernel has it as an export, with a contract: it was verified once, for all.
    public let isCallable: Bool
    /// Whether the kernel keeps it, so that it can be verified with an importer.
    public let hasBody: Bool

    public init(prototype: Prototype, isCallable: Bool = true, hasBody: Bool = false) {
        self.prototype = prototype
        self.isCallable = isCallable
        self.hasBody = hasBody
    }

    /// When it is verified if nobody asks for anything else; nil if it cannot be called in the provider, only be copied.
    public var verification: Verification? { isCallable ? .once : hasBody ? .chain : nil }

    /// Whether it cannot be called in the provider, only be copied.
    public var isCopyOnly: Bool { verification == nil }

    /// Which of several offers of one function is preferred: the least.
    var rank: Int { isCallable ? 0 : hasBody ? 1 : 2 }

    public var name: String { prototype.name }
    /// The `BTF_KIND_FUNC` in the provider's BTF.
    public var typeID: TypeID { prototype.typeID }
}
