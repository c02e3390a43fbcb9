// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
public import BPFObject

/// Everything that linking an object decided; nothing has been done yet.
public struct LinkPlan: Sendable {
    public let object: Object
    /// The entry programs that are loaded, in the order of the object.
    public let programs: [EntryProgram]
    /// One per import of the object, in the object's order; several where not all programs come to it in the same way.
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
                object, programs: programs, options: options, slot: ProviderSlot(providers.count))
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

    /// What the kernel refused before.
    public var refusals: Refusals { options.refusals }

    /// How imports are bound.
    public var mode: LinkMode { options.mode }

    /// Whether nothing is to be called by FD and name: what the object offers can be copied only.
    public var copiesOnly: Bool { options.copiesOnly }

    /// Whether the object is a library that is loaded only to be copied from: the kernel gets its maps and its file.
    public var carriesOnly: Bool { options.carriesOnly(object) }

    /// The functions of a library that are no exports, because the kernel refused them; ``refusals`` has its words.
    public var refusedExports: [Export] { options.refusedExports(of: object) }

    /// Whether what the plan loads as a provider keeps its functions.
    public var keepsBodies: Bool { options.keepsBodies }

    /// Whether any function is to be verified with those that import it, so that the kernel has to be able to do that.
    public var needsBodies: Bool {
        bindings.contains { $0.verification == .chain } || sharing.functions.contains { !$0.chained.isEmpty }
            || object.isLibrary && object.exports.contains { options.verification(of: $0) == .chain }
    }

    /// When a function that the object offers is verified; nil if it can be copied only.
    public func verification(of export: Export) -> Verification? {
        if let shared = sharing.functions.first(where: { $0.export.function.symbol == export.function.symbol }) {
            return shared.isBody ? .chain : .once
        }
        return options.verification(of: export)
    }

    /// The functions that are not to be verified by themselves, whether or not the object has them as global ones.
    private var unexported: [Export] {
        object.exports.filter { export in
            export.function.role == .body || (object.isLibrary || isShared) && verification(of: export) != .once
                // A kernel without the series knows no context of a named type, and looks at arguments of global functions only.
                || copiesOnly && export.prototype.contexts.contains { $0.programs != nil }
        }
    }

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

    /// What becomes of calls by FD and name, should the kernel refuse them.
    public enum Replacement: Sendable {
        /// The function is verified with the program.
        case chain
        /// The program has a copy.
        case copy
    }

    /// What becomes of the calls of an import, should the kernel refuse them; nil if it is refused for good.
    public func replacement(of binding: Binding) -> Replacement? {
        guard options.mode == .auto, options.verification == nil,
            case .call(let export, let slot, let verification) = binding.target
        else { return nil }
        if verification == .once, export.hasBody { return .chain }
        return providers[slot.value].carried == nil ? nil : .copy
    }

    /// The functions of the object that a program consists of, itself included, by name.
    public func functions(of program: String) -> Set<String> {
        if carriesOnly { return [] }
        guard isShared, program == syntheticEntry?.name else { return sharing.contents[program] ?? object.functions(of: program) }
        return sharing.functions.reduce(into: []) { names, shared in
            guard let index = object.functions.firstIndex(of: shared.export.function) else { return }
            names.formUnion(object.reachableFunctions(from: index).map { object.functions[$0].name })
        }
    }

    /// What a program has copies of: what it imports, and what that refers to.
    public func copied(into program: String) -> [CopyPlan.Function] { copies.copied(for: copiedImports(of: program)) }

    /// Whether a program has copies that the verifier is to look at once and by themselves.
    public func verifiesCopiesOnce(in program: String) -> Bool { copies.hasGlobals(for: copiedImports(of: program)) }

    private func copiedImports(of program: String) -> [Import] {
        let functions = functions(of: program)
        return bindings.filter { binding in
            guard case .copy = binding.target else { return false }
            return binding.import.sites.contains { functions.contains($0.function) }
        }.map(\.import)
    }

    /// What a program imports by FD and name from other providers.
    public func calledImports(of program: String) -> [Binding] {
        let functions = functions(of: program)
        return bindings.filter { binding in
            binding.verification != nil && binding.import.sites.contains { functions.contains($0.function) }
        }
    }

    /// The same plan without sharing.
    public func unshared() -> LinkPlan {
        var options = options
        options.shares = false
        return LinkPlan(
            object, programs: programs, bindings: bindings, providers: providers, copies: copies, importFixups: importFixups,
            options: options)
    }

    /// The same plan without what the kernel refused, besides what it refused before.
    ///
    /// - Throws: ``LinkErrors`` if what it refused to import cannot be copied.
    public func refusing(_ note: (inout Refusals) -> Void) throws(LinkErrors) -> LinkPlan {
        var options = options
        note(&options.refusals)
        return try relinked(to: boundProviders, options)
    }

    /// Links again.
    ///
    /// - Parameter providers: whom each import is bound to, by name.
    func relinked(to providers: [String: ProviderSnapshot], _ options: LinkOptions) throws(LinkErrors) -> LinkPlan {
        let requests = providers.sorted { $0.key < $1.key }.map { ImportRequest(name: $0.key, provider: $0.value) }
        return try link(object, imports: requests, options: options)
    }

    /// The object as libbpf can open it, with everything in place that was decided.
    ///
    /// - Parameter maps: descriptors of the maps that copies use, by the maps' ids.
    /// - Returns: the bytes of an ELF object; the object's own bytes if nothing was to be changed.
    /// - Throws: if the object's tables have no room for what has to be added.
    public func rewrittenObject(maps: [UInt32: Int32] = [:]) throws(ObjectError) -> [UInt8] {
        let called = Set(bindings.filter { $0.verification != nil }.map(\.import.symbol))
        let unexported = carriesOnly ? refusedExports : unexported
        let tagged = unexported.filter { $0.function.role != .body && verification(of: $0) == .chain }
        return try ELFRewriter.rewrite(
            object, fixups: fixups, undeclared: object.imports.filter { !called.contains($0.symbol) },
            externs: sharing.functions.map(\.extern), unexported: unexported.map(\.function.symbol), tagged: tagged.map(\.typeID),
            copies: copies.codeCopies(maps: maps), entry: syntheticEntry)
    }
}
