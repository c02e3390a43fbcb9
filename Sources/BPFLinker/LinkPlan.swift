// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
public import BPFObject

/// Everything that linking an object decided; nothing has been done yet.
public struct LinkPlan: Sendable {
    public let object: Object
    /// The entry programs that are loaded, in the order of the object.
    public let programs: [EntryProgram]
    /// One per import of the object, in the object's order.
    public let bindings: [Binding]
    /// The distinct providers that are called, by slot.
    public let providers: [ProviderSnapshot]
    /// The functions that the object is given copies of.
    public let copies: CopyPlan
    /// What the programs have in common and how they share it.
    public let sharing: Sharing
    /// The instructions that change, in the order of sections and instructions.
    public let fixups: [Fixup]
    /// The entry program that a library gets, or that the functions which programs share get; nil if there is neither.
    public let syntheticEntry: SyntheticEntry?
    let options: LinkOptions
    private let importFixups: [Fixup]

    init(
        _ object: Object, programs: [EntryProgram], bindings: [Binding], providers: [ProviderSnapshot],
        copies: CopyPlan, importFixups: [Fixup], options: LinkOptions
    ) {
        self.object = object
        self.programs = programs
        self.bindings = bindings
        self.providers = providers
        self.copies = copies
        self.importFixups = importFixups
        self.options = options
        if options.shares && !options.copiesOnly && programs.count > 1 {
            var planner = SharingPlanner(
                object, programs: programs, refusals: options.refusals, slot: ProviderSlot(providers.count))
            sharing = planner.plan()
        } else {
            sharing = .none
        }
        fixups = (importFixups + sharing.fixups).sorted { ($0.section, $0.instruction) < ($1.section, $1.instruction) }
        syntheticEntry = SyntheticEntry(for: object, sharing: sharing, options: options)
    }

    /// The slot of the provider that the object's own shared functions are in.
    public var sharedSlot: ProviderSlot { ProviderSlot(providers.count) }

    /// Whether the plan has a step of its own for what programs share.
    public var isShared: Bool { !sharing.functions.isEmpty }

    /// Whether nothing is to be called by FD and name: what the object offers can be copied only.
    public var copiesOnly: Bool { options.copiesOnly }

    /// Whether the object is a library that is loaded only to be copied from: the kernel gets its maps and its file.
    public var carriesOnly: Bool { object.isLibrary && copiesOnly }

    /// The providers that functions are copied from, in the order of the object's imports.
    public var copiedProviders: [ProviderSnapshot] {
        var seen: Set<UInt32> = []
        return bindings.compactMap { binding in
            guard case .copy(_, let provider) = binding.target, seen.insert(provider.id).inserted else { return nil }
            return provider
        }
    }

    /// The import that a poisoned call stands for; nil if the number is that of no such call.
    public func poisonedImport(_ immediate: Int32) -> String? {
        guard let index = Poison.importIndex(of: immediate) else { return nil }
        let names = object.imports.map(\.name) + copies.unresolved
        return names.indices.contains(index) ? names[index] : nil
    }

    /// The programs of the object that are not loaded.
    public var leftOut: [EntryProgram] { object.entryPrograms.filter { !programs.contains($0) } }

    /// The same plan without sharing.
    public func unshared() -> LinkPlan {
        replanned { $0.shares = false }
    }

    /// The same plan without sharing of what the kernel refused, besides what it refused before.
    public func refusing(_ note: (inout SharingRefusals) -> Void) -> LinkPlan {
        replanned { note(&$0.refusals) }
    }

    private func replanned(_ change: (inout LinkOptions) -> Void) -> LinkPlan {
        var options = options
        change(&options)
        return LinkPlan(
            object, programs: programs, bindings: bindings, providers: providers, copies: copies, importFixups: importFixups,
            options: options)
    }

    /// The object as libbpf can open it, with everything in place that was decided.
    ///
    /// - Parameter maps: descriptors of the maps that copies use, by the maps' ids.
    /// - Returns: the bytes of an ELF object; the object's own bytes if nothing was to be changed.
    /// - Throws: if the object's tables have no room for what has to be added.
    public func rewrittenObject(maps: [UInt32: Int32] = [:]) throws(ObjectError) -> [UInt8] {
        let unresolved = bindings.filter { if case .unresolved = $0.target { true } else { false } }
        return try ELFRewriter.rewrite(
            object, fixups: fixups, unresolved: unresolved.map(\.import), externs: sharing.functions.map(\.extern),
            copies: copies.codeCopies(maps: maps), entry: syntheticEntry)
    }
}
