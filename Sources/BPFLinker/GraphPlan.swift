// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFObject

/// Everything that linking several objects decided, of each other and of loaded providers.
public struct GraphPlan: Sendable {
    /// Loading one of the objects.
    public struct Step: Sendable {
        /// The object's position among those that were given.
        public let number: Int
        public let plan: LinkPlan
    }

    /// In the order of loading: what is imported from comes before its importers, else the order is the given one.
    public let steps: [Step]

    /// The plan of one object alone.
    public init(_ plan: LinkPlan) { steps = [Step(number: 0, plan: plan)] }

    init(steps: [Step]) { self.steps = steps }
}

extension ProviderSnapshot {
    /// What an object will offer once it is loaded.
    ///
    /// - Parameters:
    ///   - number: the object's position among those that are linked together.
    ///   - options: how the object is linked.
    ///   - imports: what it imports itself can be copied from, by function.
    init(planned object: Object, number: Int, _ options: LinkOptions, imports: [String: Carried] = [:]) {
        let id = Self.plannedID(number)
        var objects = imports.values.reduce(into: [:]) { $0.merge($1.objects) { a, _ in a } }
        objects[id] = CarriedObject(object: object, maps: [:], imports: imports.mapValues(\.root))
        self.init(
            reference: object.name, id: id, name: object.name, tag: "", type: "",
            exports: object.exports.map { export in
                ProviderExport(
                    prototype: export.prototype, isCallable: options.verification(of: export) == .once,
                    hasBody: options.keepsBodies && options.verification(of: export) != nil)
            },
            carried: try? Carried(root: id, objects: objects))
    }

    /// The kernel's ids are positive as signed numbers (`bpf_prog_alloc_id()`, `bpf_map_alloc_id()` in kernel/bpf/syscall.c), so
    /// these are nobody's.
    static func plannedID(_ number: Int) -> UInt32 { .max - UInt32(clamping: number) }

    /// The position among the objects that are linked together, of one that is yet to be loaded; nil for a loaded program.
    public var plannedNumber: Int? { id > UInt32(Int32.max) ? Int(UInt32.max - id) : nil }
}

extension LinkPlan {
    /// Whom each import is bound to, by the import's name; weak imports that are bound to nothing are not in it.
    public var boundProviders: [String: ProviderSnapshot] {
        var bound: [String: ProviderSnapshot] = Dictionary(minimumCapacity: bindings.count)
        for binding in bindings { bound[binding.import.name] = provider(of: binding) ?? bound[binding.import.name] }
        return bound
    }

    private func provider(of binding: Binding) -> ProviderSnapshot? {
        switch binding.target {
        case .call(_, let slot, _): providers[slot.value]
        case .copy(_, let provider): provider
        case .unresolved: nil
        }
    }

    /// Which of the objects that are linked together the object imports from.
    public var plannedProviders: Set<Int> {
        bindings.reduce(into: []) { planned, binding in
            if let number = provider(of: binding)?.plannedNumber { planned.insert(number) }
        }
    }

    /// The same plan with objects that are loaded by now in the place of those that were planned.
    ///
    /// - Parameter provider: what a planned object offers now, as far as it has the function.
    /// - Throws: ``LinkErrors`` if what was loaded does not offer what was planned.
    public func bound(
        to provider: (_ number: Int, _ function: String) -> ProviderSnapshot?
    ) throws(LinkErrors) -> LinkPlan {
        if plannedProviders.isEmpty { return self }
        var actual: [String: ProviderSnapshot] = [:]
        for (name, planned) in boundProviders { actual[name] = planned.plannedNumber.map { provider($0, name) } ?? planned }
        return try relinked(to: actual, options)
    }
}
