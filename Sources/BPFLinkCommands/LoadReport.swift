// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLink
import SystemPackage

// What `load` prints: the plan with `--dry-run`, else what was loaded.

extension LoadCommand {
    /// One object's plan as it is; of several, in the order of loading.
    func planReport(_ planned: PlannedLoad) -> Report {
        let graph = planned.graph
        var report = Report(
            text: graph.steps.map { Self.planLines($0.plan).joined(separator: "\n") }.joined(separator: "\n"),
            json: Self.joined(graph.steps.map { Self.planJSON($0.plan) }))
        report.warnings = Self.distinct(
            graph.steps.flatMap { step in
                notes(aboutCopies: step.plan) + notes(aboutSharing: step.plan) + notes(aboutCommon: step.plan)
            })
        if let refusal = planned.refusal { report.warnings.insert(Self.noteThatNothingIsKnown(refusal), at: 0) }
        return report
    }

    /// For those who may not ask the running kernel.
    private static func noteThatNothingIsKnown(_ refusal: Errno) -> Diagnostic {
        Diagnostic(
            .note, code: "not-asked", "the running kernel cannot be asked what it can do: \(refusal)",
            notes: ["this is the plan for a kernel with FD + name calls, which the running one may not be"],
            help: ["as root, or with CAP_BPF, it is that of the running kernel; `--mode copy` is that of any kernel without them"])
    }

    /// What holds for several objects is said once.
    private static func distinct(_ diagnostics: [Diagnostic]) -> [Diagnostic] {
        diagnostics.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }

    private static func joined(_ objects: [JSONValue]) -> JSONValue {
        objects.count == 1 ? objects[0] : .object(["objects": .array(objects)])
    }

    private static func planLines(_ plan: LinkPlan) -> [String] {
        var lines = ["plan for \(plan.object.name)"]
        if let entry = plan.syntheticEntry {
            let what = plan.isShared ? "step 1: load shared" : plan.carriesOnly ? "load, to be copied from, library" : "load library"
            lines.append("  \(what) \(entry.name) (section \(entry.sectionName))")
            lines += Self.exports(of: entry, plan).map { "    " + $0.prototype.offered(plan.verification(of: $0)) }
        }
        for (index, program) in plan.programs.enumerated() {
            let step = plan.isShared ? "step \(index + 2): " : ""
            lines.append("  \(step)load \(program.name) (section \(program.sectionName))")
            lines += plan.sharing.imports(of: program.name).map { function in
                "    imports \(function.verification(with: program.name) == .chain ? "the body of " : "")\(function.name) of step 1"
            }
        }
        lines += plan.leftOut.map { "  leave out \($0.name) (section \($0.sectionName))" }
        lines += plan.sharing.chained.map { "  verify \($0.name) with \($0.chained.words)" }
        lines += plan.sharing.copies.map { "  copy \($0.words)" }
        lines += plan.copies.copied.filter { !$0.isImport }.map { "  copy \($0.name) of \($0.object): what is imported calls it" }
        for binding in plan.bindings { lines.append("  bind \(Self.words(for: binding, plan))") }
        for (replacement, words) in [(LinkPlan.Replacement.chain, "verify with the program"), (.copy, "copy")] {
            let names = plan.bindings.filter { plan.replacement(of: $0) == replacement }.map(\.import.name)
            if !names.isEmpty { lines.append("  \(words) instead, should the kernel refuse: \(names.joined(separator: ", "))") }
        }
        for fixup in plan.fixups { lines.append("  fixup \(fixup)") }
        return lines
    }

    private static func planJSON(_ plan: LinkPlan) -> JSONValue {
        .object([
            "object": .string(plan.object.name),
            "programs": .array(Self.programs(of: plan)),
            "left_out": .strings(plan.leftOut.map(\.name)), "chained": plan.sharing.chainedJSON, "copies": plan.sharing.copiesJSON,
            "copied": plan.copies.copied.isEmpty
                ? nil
                : .array(
                    plan.copies.copied.map { .object(["name": .string($0.name), "object": .string($0.object)]) }),
            "bindings": .array(plan.bindings.map { Self.json(for: $0, plan) }),
            "fixups": .array(plan.fixups.map(Self.json(for:))),
        ])
    }

    private static func programs(of plan: LinkPlan) -> [JSONValue] {
        let entry = plan.syntheticEntry.map { entry in
            JSONValue.object([
                "name": .string(entry.name), "section": .string(entry.sectionName),
                plan.isShared ? "shared" : "library": .bool(true),
                "exports": .array(exports(of: entry, plan).map { json(for: $0.name, $0.prototype, plan.verification(of: $0)) }),
            ])
        }
        return (entry.map { [$0] } ?? [])
            + plan.programs.map { program in
                .object([
                    "name": .string(program.name), "section": .string(program.sectionName),
                    "imports": .strings(plan.sharing.imports(of: program.name).map(\.name)),
                ])
            }
    }

    private static func exports(of entry: SyntheticEntry, _ plan: LinkPlan) -> [Export] {
        plan.object.exports.filter { plan.carriesOnly || entry.functions.contains($0.name) }
    }

    static func words(for binding: Binding, _ plan: LinkPlan) -> String {
        switch binding.target {
        case .call(let export, let slot, let verification):
            "\(binding.import.name) -> \(export.prototype.called(verification)) of \(plan.providers[slot.value])"
        case .copy(let export, let provider): "\(binding.import.name) -> a copy of `\(export.prototype)` of \(provider)"
        case .unresolved: "\(binding.import.name) -> nothing (\(binding.import.isWeak ? "weak" : "not used by what is loaded"))"
        }
    }

    /// - Parameter program: the program that has it; nil before anything is loaded.
    static func json(for binding: Binding, _ plan: LinkPlan, in program: LoadedProgram? = nil) -> JSONValue {
        let bound: (export: ProviderExport, provider: ProviderSnapshot, verification: Verification?)
        switch binding.target {
        case .call(let export, let slot, let verification): bound = (export, plan.providers[slot.value], verification)
        case .copy(let export, let provider): bound = (export, provider, nil)
        case .unresolved: return .object(["name": .string(binding.import.name), "provider": .null])
        }
        let provider = bound.provider
        let refused = binding.refusals.first { $0.programs.contains(program?.name ?? "") }?.words ?? []
        return .object([
            "name": .string(binding.import.name), "prototype": .string("\(bound.export.prototype)"),
            "provider": .object([
                "reference": .string(provider.reference),
                "id": provider.plannedNumber == nil ? .integer(provider.id) : nil, "name": .string(provider.name),
            ]), "verify": bound.verification.map { .string($0.rawValue) }, "copy": bound.verification == nil ? .bool(true) : nil,
            "refused": .strings(refused),
            "if_refused": program == nil ? plan.replacement(of: binding).map { .string($0 == .chain ? "chain" : "copy") } : nil,
            "image": program.flatMap { binding.image(in: $0.info, plan)?.json },
        ])
    }

    private static func json(for fixup: Fixup) -> JSONValue {
        .object([
            "section": .string(fixup.sectionName), "instruction": .integer(fixup.instruction.value),
            "before": .string("\(fixup.before)"), "after": .string("\(fixup.after)"), "because": .string(fixup.because),
        ])
    }

    /// - Parameter verification: when it is verified; nil if it can be copied only.
    static func json(for name: String, _ prototype: Prototype, _ verification: Verification? = .once) -> JSONValue {
        .object([
            "name": .string(name), "prototype": .string("\(prototype)"), "verify": verification == .chain ? .string("chain") : nil,
            "copy": verification == nil ? .bool(true) : nil,
        ])
    }

    /// libbpf gives a program the subprograms that it reaches, and no others.
    private static func warnings(aboutUnreached plan: LinkPlan, _ loaded: LoadedObject) -> [Diagnostic] {
        // Of a library, and of a program that can export nothing, another note tells.
        if plan.copiesOnly || plan.object.isLibrary { return [] }
        let exported = Set(loaded.programs.flatMap { $0.info.exports.map(\.typeID) + $0.info.bodies })
        let refused = plan.refusals.exporters.keys.reduce(into: Set<String>()) { $0.formUnion(plan.functions(of: $1)) }
        return plan.object.exports.filter {
            !exported.contains($0.typeID.value) && !refused.contains($0.name) && plan.verification(of: $0) != nil
        }.map { export in
            Diagnostic(
                .warning, code: "not-exported", "`\(export.name)` is not exported: no program of \(plan.object.name) reaches it",
                help: ["an object without programs is a library and exports all its global functions"])
        }
    }

    static func words(for attachment: LoadedAttachment) -> String {
        "  attached: \(attachment.place)" + (attachment.pin.map { ", pinned at \($0)" } ?? "")
    }

    static func json(for attachment: LoadedAttachment) -> JSONValue {
        .object(["place": .string(attachment.place), "pin": attachment.pin.map(JSONValue.string)])
    }

    func loadedReport(_ loaded: [LoadedObject], _ inherited: [Foreground.Inherited]) -> Report {
        let debug = common.debug
        var report = Report(
            text: loaded.map { object in
                let lines = LoadedProgramReport.all(of: object, inherited).flatMap(\.lines) + Self.mapLines(object)
                let log = debug ? object.logs.flatMap { $0.lines.map(String.init) } : []
                return (lines + log).joined(separator: "\n")
            }.joined(separator: "\n"),
            json: Self.joined(loaded.map { Self.json(for: $0, inherited) }))
        report.warnings = Self.distinct(loaded.flatMap(warnings))
        report.goesToStandardError = exec
        // Without a pin all of it goes away with this process.
        if pin != nil { report.change = "this was done, and stays:" }
        if pin == nil, attach.isEmpty, !exec {
            report.warnings.append(
                Diagnostic(
                    .warning, code: "not-kept", "nothing keeps the programs loaded: they go away with this process",
                    help: ["`--pin PATH`, `--attach` or `--exec -- COMMAND` keeps them"]))
        }
        return report
    }

    private func warnings(about loaded: LoadedObject) -> [Diagnostic] {
        let plan = loaded.plan
        var warnings = notes(aboutCopies: plan) + notes(aboutSharing: plan)
        if export { warnings += Self.warnings(aboutUnreached: plan, loaded) }
        return warnings
    }

    private static func mapLines(_ loaded: LoadedObject) -> [String] {
        loaded.maps.flatMap { map in
            ["map \(map.name): id \(map.id)" + (map.pin.map { ", pinned at \($0)" } ?? "")]
                + (map.attachment.map { [words(for: $0)] } ?? [])
        }
    }

    private static func json(for loaded: LoadedObject, _ inherited: [Foreground.Inherited]) -> JSONValue {
        .object([
            "object": .string(loaded.plan.object.name),
            "programs": .array(LoadedProgramReport.all(of: loaded, inherited).map(\.json)),
            "chained": loaded.plan.sharing.chainedJSON, "copies": loaded.plan.sharing.copiesJSON,
            "maps": .array(
                loaded.maps.map {
                    .object([
                        "name": .string($0.name), "id": .integer($0.id), "pin": $0.pin.map(JSONValue.string),
                        "attachment": $0.attachment.map(json(for:)),
                    ])
                }),
        ])
    }
}

extension LoadCommand {
    /// Who lets bpflink choose is told when functions are copied.
    private func notes(aboutCopies plan: LinkPlan) -> [Diagnostic] {
        let hasRefusals = plan.bindings.contains { !$0.refusals.isEmpty }
        guard mode == .auto, plan.object.isLibrary || export || hasRefusals || !plan.copiedProviders.isEmpty else { return [] }
        if Features.functionCalls() == .absent {
            guard plan.copiesOnly else { return [] }
            let isCarriedAnyhow = !carry && (plan.object.isLibrary || export)
            return [
                Diagnostic(
                    .note, code: "copied", "kernel lacks FD + name calls: imported functions are copied, their maps and data shared",
                    help: ["`--mode copy` silences this note, `--mode kernel` refuses"])
            ] + (isCarriedAnyhow ? [Self.noteThatItIsCarried(plan)] : [])
        }
        let refused = plan.bindings.flatMap { binding in binding.refusals.map { Self.note(about: $0, binding) } }
        return notes(aboutRefusedExports: plan) + refused
            + plan.copiedProviders.compactMap { provider in
                let names = plan.bindings.compactMap { binding -> String? in
                    guard case .copy(let export, let source) = binding.target, source.id == provider.id, export.isCopyOnly
                    else { return nil }
                    return "`\(export.name)`"
                }
                if names.isEmpty { return nil }
                return Diagnostic(
                    .note, code: "copied",
                    provider.isCallable
                        ? "\(provider) does not export \(names.joined(separator: ", ")) in the kernel: what is imported is copied"
                        : "\(provider) exports nothing in the kernel: what is imported from it is copied")
            }
    }

    private static func noteThatItIsCarried(_ plan: LinkPlan) -> Diagnostic {
        Diagnostic(
            .note, code: "carried",
            "`--no-carry` is passed over: nothing could be imported from \(plan.object.name) without its object")
    }

    /// What has become of an import that the kernel refused to programs.
    private static func note(about refusal: Binding.Refusal, _ binding: Binding) -> Diagnostic {
        let programs = refusal.programs.joined(separator: ", ")
        if binding.verification != nil {
            return Diagnostic(
                .note, code: "verified-with-program",
                "`\(binding.import.name)` is verified with \(programs): the kernel refuses the import of what was verified once",
                notes: refusal.words + [Verification.chainCost], help: ["`--verify once` refuses as well"])
        }
        return Diagnostic(
            .note, code: "copied", "`\(binding.import.name)` is copied into \(programs): the kernel refuses the import",
            notes: refusal.words, help: ["`--mode kernel` refuses as well"])
    }

    /// What a provider was to export and does not.
    private func notes(aboutRefusedExports plan: LinkPlan) -> [Diagnostic] {
        let exports = Dictionary(grouping: plan.refusedExports, by: { plan.refusals.exports[$0.name] ?? [] })
            .sorted { $0.value[0].name < $1.value[0].name }
        let functions = exports.map { words, exports in
            let subject = exports.map { "`\($0.name)`" }.joined(separator: ", ")
            let isOfType = words.contains { $0.contains("of this type") || $0.contains("is not allowed") }
            let isKept = plan.verification(of: exports[0]) == .chain
            return Diagnostic(
                .note, code: "not-exported",
                exports.count == 1 ? "\(subject) is not exported: the kernel refuses it" : "\(subject) are not exported: the kernel refuses",
                notes: words
                    + (isKept ? ["it is kept to be verified with importers: \(Verification.chainCost)"] : ["importers have copies in its place"]),
                help: ["`--mode kernel` refuses the library"]
                    + (isOfType ? ["`--type TYPE` loads it as a program of another type, which may do that: kprobe, tc, …"] : []))
        }
        let programs = plan.refusals.exporters.sorted { $0.key < $1.key }.map { program, words in
            Diagnostic(
                .note, code: "not-exported", "`\(program)` exports nothing: the kernel refuses it",
                notes: words + ["importers have copies in its place"], help: ["`--mode kernel` refuses the program"])
        }
        return functions + programs
    }
}

extension Binding {
    /// The native code that calls in the program are of; nil if it does not call the function in the provider, or the kernel does not
    /// tell.
    func image(in program: ProgramInfo, _ plan: LinkPlan) -> ProgramInfo.Image? { record(in: program, plan)?.image }

    /// Whether the kernel says that the program imports it.
    func isUsed(by program: ProgramInfo, in plan: LinkPlan) -> Bool { record(in: program, plan) != nil }

    private func record(in program: ProgramInfo, _ plan: LinkPlan) -> ProgramInfo.Import? {
        guard case .call(let export, let slot, let verification) = target else { return nil }
        return program.imports(of: export.typeID.value, from: plan.providers[slot.value].id).first { $0.verification == verification }
    }

    /// Whether calls in the functions are those of a copy.
    func isCopied(into functions: Set<String>) -> Bool {
        guard case .copy = target else { return false }
        return `import`.sites.contains { functions.contains($0.function) }
    }
}
