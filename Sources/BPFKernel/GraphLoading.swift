// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject

/// Objects that are loaded one after the other, each from those before it and from providers that were there already.
struct GraphLoading {
    private(set) var objects: [LoadedObject] = []
    private var positions: [Int: Int] = [:]
    /// By id.
    private var programs: [UInt32: OpenProgram]

    /// - Parameter providers: programs that were loaded before.
    init(_ providers: [OpenProgram]) {
        programs = Dictionary(providers.map { ($0.info.id, $0) }, uniquingKeysWith: { a, _ in a })
    }

    /// - Parameter number: the object's position among those that are linked together.
    mutating func add(_ object: LoadedObject, number: Int) {
        positions[number] = objects.count
        objects.append(object)
    }

    /// The plan with what is loaded by now in the place of what was planned.
    func bound(_ plan: LinkPlan) throws(KernelError) -> LinkPlan {
        do throws(LinkErrors) {
            return try plan.bound { number, function in
                positions[number].flatMap { objects[$0].offer(of: function) }
            }
        } catch {
            throw KernelError(
                .load, "\(plan.object.name) cannot be bound to what was loaded for it",
                notes: ["no program of the objects before it exports what it imports"],
                help: ["a program exports what it reaches; an object without programs exports all its global functions"])
        }
    }

    /// The providers that the plan calls, by slot.
    mutating func slots(of plan: LinkPlan) throws(KernelError) -> [OpenProgram] {
        var slots: [OpenProgram] = []
        for provider in plan.providers {
            let program: OpenProgram
            if let known = programs[provider.id] {
                program = known
            } else if let loaded = objects.lazy.flatMap(\.programs).first(where: { $0.info.id == provider.id }) {
                program = try OpenProgram.open(.descriptor(loaded.descriptor))
                programs[provider.id] = program
            } else {
                throw KernelError(.load, "\(plan.object.name) imports from \(provider), which is not held open")
            }
            slots.append(program)
        }
        return slots
    }
}

extension LoadedObject {
    /// What the program of the object that has a function offers; nil if none has it.
    fileprivate func offer(of function: String) -> ProviderSnapshot? {
        let exports = plan.object.exports
        guard let wanted = exports.first(where: { $0.name == function }) else { return nil }
        for program in programs {
            let exported = Set(program.info.exports.map(\.typeID))
            guard program.offersCopies || exported.contains(wanted.typeID.value) else { continue }
            return ProviderSnapshot(
                reference: plan.object.name, id: program.info.id, name: program.info.name, tag: program.info.tag,
                type: program.info.type.description,
                exports: exports.filter { program.offersCopies || exported.contains($0.typeID.value) }
                    .map { ProviderExport(prototype: $0.prototype) },
                isCallable: !program.offersCopies, carried: carried)
        }
        return nil
    }
}
