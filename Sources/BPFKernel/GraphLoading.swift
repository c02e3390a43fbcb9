// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject

/// Objects that are loaded one after the other, each from those before it and from providers that were there already.
struct GraphLoading {
    private(set) var objects: [LoadedObject] = []
    private var positions: [Int: Int] = [:]
    /// What objects offer that others import from, by the object's number, then by function.
    private var offers: [Int: [String: ProviderSnapshot]] = [:]
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
    mutating func bound(_ plan: LinkPlan) throws(KernelError) -> LinkPlan {
        for number in plan.plannedProviders where offers[number] == nil {
            offers[number] = positions[number].map { objects[$0].offers }
        }
        do throws(LinkErrors) {
            return try plan.bound { number, function in offers[number]?[function] }
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
    /// What the object's programs offer, by function: of several that have it, one that exports it is the first choice, one that keeps
    /// it the second.
    fileprivate var offers: [String: ProviderSnapshot] {
        let snapshots = programs.map { program in
            ProviderSnapshot(
                reference: plan.object.name, id: program.info.id, name: program.info.name, tag: program.info.tag,
                type: program.info.type.description, exports: offered(by: program), carried: carried)
        }
        var offers: [String: ProviderSnapshot] = [:]
        let choices: [(ProviderExport) -> Bool] = [\.isCallable, \.hasBody, \.isCopyOnly]
        for isChoice in choices {
            for snapshot in snapshots {
                for export in snapshot.exports where isChoice(export) && offers[export.name] == nil {
                    offers[export.name] = snapshot
                }
            }
        }
        return offers
    }
}
