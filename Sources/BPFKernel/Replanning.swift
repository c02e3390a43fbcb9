// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject

extension LinkPlan {
    /// The plan without what the kernel just refused to share, to import, to export or to verify by itself: it is verified with each
    /// importer instead, or copied. nil if the program that it refused does nothing of that, or if there is nothing else to be tried.
    ///
    /// A function that one program cannot import stays shared by programs of other kinds. Which rule it was that the kernel applied
    /// does not matter: what is refused for other reasons than sharing is refused again in copies, and then in the words that it
    /// would have met without sharing.
    ///
    /// - Parameter carriesObject: whether what the object offers can be copied.
    func replanned(after error: KernelError, carriesObject: Bool = true) -> LinkPlan? {
        guard let name = error.program else { return nil }
        // A copy may be valid only as it is called, or do what a global function may not.
        if error.code == .verifier, verifiesCopiesOnce(in: name) { return try? refusing { $0.copiesAsGlobals = true } }
        let lines = error.verifierLog?.lines.map(String.init) ?? error.notes
        if isShared, name == syntheticEntry?.name { return replanned(afterProviderOf: lines, error) }
        let called = calledImports(of: name)
        let named = functionNamed(in: lines, of: sharing.functions.map(\.name) + called.map(\.import.name))
        if let named, called.contains(where: { $0.import.name == named.function && replacement(of: $0) == nil }) { return nil }
        let isImporter = sharing.importers.contains(name) || !replaceableImports(of: name, after: error).isEmpty
        // `bpf_check_export_allowed()` in kernel/bpf/prog_call.c: programs of the type export nothing.
        let cannotExport = lines.contains { $0.hasPrefix("cannot export subprograms: ") }
        if isImporter, !cannotExport { return replanned(afterImporter: name, named, lines, error) }
        return replanned(afterExporter: name, cannotExport, error, carriesObject: carriesObject)
    }

    /// A program that imports was refused.
    ///
    /// - Parameter named: the import that the log names.
    private func replanned(
        afterImporter name: String, _ named: (function: String, line: String)?, _ lines: [String], _ error: KernelError
    ) -> LinkPlan? {
        let program = programs.first { $0.name == name }
        return try? refusing { refusals in
            for alike in program.map({ self.programs(like: $0, refusedIn: named?.line ?? "", lines) }) ?? [name] {
                let own = replaceableImports(of: alike, after: error)
                guard let function = named?.function else {
                    refuseAll(of: alike, own, error, &refusals)
                    continue
                }
                guard sharing.importers.contains(alike) || own.contains(function) else { continue }
                if isVerifiedOnce(function, in: alike) {
                    refusals.imports[alike, default: [:]][function] = error.notes
                } else {
                    refusals.bodyImports[alike, default: [:]][function] = error.notes
                }
            }
        }
    }

    /// A program was refused for what nobody says is about a certain import. It may be one that is verified with less knowledge than
    /// a copy would be. Those that are verified with the program are not: they are what a copy would be to the verifier.
    private func refuseAll(of program: String, _ own: [String], _ error: KernelError, _ refusals: inout Refusals) {
        let shared = sharing.functions.filter { $0.programs.contains(program) }.map(\.name)
        let once = (shared + own).filter { isVerifiedOnce($0, in: program) }
        for function in once where keepsBodies || own.contains(function) {
            refusals.imports[program, default: [:]][function] = error.notes
        }
        if !shared.isEmpty, once.isEmpty || !keepsBodies { refusals.programs[program] = error.notes }
    }

    /// Whether a program has calls of a function, another program's or one of the object's own, that are checked against its contract.
    private func isVerifiedOnce(_ function: String, in program: String) -> Bool {
        if let shared = sharing.functions.first(where: { $0.name == function }) {
            return !shared.chained.contains { $0.programs.contains(program) }
        }
        return calledImports(of: program).contains { $0.import.name == function && $0.verification == .once }
    }

    /// A program that exports, and imports nothing that could be had otherwise, was refused. A function that is not valid by itself
    /// (it takes an argument on trust, or does what programs of the provider's type may not) may well be valid as a part of an importer.
    private func replanned(
        afterExporter name: String, _ cannotExport: Bool, _ error: KernelError, carriesObject: Bool
    ) -> LinkPlan? {
        guard mode == .auto, error.code == .verifier, !carriesOnly else { return nil }
        guard object.isLibrary else {
            return cannotExport && carriesObject ? try? refusing { $0.exporters[name] = error.notes } : nil
        }
        let culprit = error.verifierLog?.lastValidated
        let named = object.exports.filter { $0.name == culprit }
        let exported = object.exports.filter { verification(of: $0) == .once }
        let refused = named.isEmpty ? exported.isEmpty ? object.exports : exported : named
        // What was an export can be kept to be verified with importers, if the kernel can do that and it is about the function.
        let isKept = keepsBodies && !cannotExport && !exported.isEmpty
        guard isKept || carriesObject && refused.allSatisfy({ isCopyable($0.function) }) else { return nil }
        return try? refusing { refusals in
            for export in refused {
                if refusals.exports[export.name] == nil { refusals.exports[export.name] = error.notes }
                if !isKept, keepsBodies { refusals.bodies[export.name] = error.notes }
            }
        }
    }

    /// Whether all that a function imports, directly or in what it calls, can be copied as well.
    private func isCopyable(_ function: Function) -> Bool {
        guard let index = object.functions.firstIndex(of: function) else { return false }
        let reached = Set(object.reachableFunctions(from: index).map { object.functions[$0].name })
        return bindings.allSatisfy { binding in
            guard case .call(_, let slot, _) = binding.target, providers[slot.value].carried == nil else { return true }
            return !binding.import.sites.contains { reached.contains($0.function) }
        }
    }

    /// The provider of what programs share was refused.
    private func replanned(afterProviderOf lines: [String], _ error: KernelError) -> LinkPlan? {
        let imports = Set(programs.flatMap { replaceableImports(of: $0.name, after: error) })
        if let named = functionNamed(in: lines, of: imports.sorted()) {
            return try? refusing { refusals in
                for program in programs where replaceableImports(of: program.name, after: error).contains(named.function) {
                    refusals.imports[program.name, default: [:]][named.function] = error.notes
                }
            }
        }
        let functions = functions(behind: error.verifierLog)
        return try? refusing { refusals in
            // Without a culprit another type will not do either.
            guard !functions.isEmpty else {
                for function in sharing.functions {
                    // What cannot even be kept is copied.
                    if function.isBody { refusals.bodies[function.name] = error.notes }
                    refusals.functions[function.name] = error.notes
                }
                return
            }
            for function in functions { refusals.providers[sharing.providerType, default: [:]][function] = error.notes }
        }
    }

    /// The imports of a program that something else can take the place of, if what the verifier said is the reason.
    private func replaceableImports(of program: String, after error: KernelError) -> [String] {
        error.code == .verifier ? calledImports(of: program).filter { replacement(of: $0) != nil }.map(\.import.name) : []
    }

    /// Whether something of the plan takes the place of what another one has, for imports of other programs.
    func isFallback(from plan: LinkPlan) -> Bool {
        func chained(_ plan: LinkPlan) -> Int { plan.bindings.filter { $0.verification == .chain }.count }
        return copies.copied.count > plan.copies.copied.count || chained(self) > chained(plan)
    }

    /// The function that the log names last, and the line that does: `cannot import NAME() from prog …` of `import_error()` in
    /// kernel/bpf/prog_call.c, or `… NAME() of prog …` of the checks of a call.
    private func functionNamed(in lines: [String], of functions: [String]) -> (function: String, line: String)? {
        for line in lines.reversed() where !line.hasSuffix(" is imported and known to be valid.") {
            let function = functions.first { function in
                [" from prog ", " of prog "].contains { (" " + line).contains(" \(function)()\($0)") }
            }
            if let function { return (function, line) }
        }
        return nil
    }

    /// The programs that will be refused as this one was, itself included. What is said of an import holds for all programs that
    /// the kernel verifies it for as for this one: of the same section but for the target, where the target is not part of what it
    /// asks (`struct bpf_prog_environment` in include/linux/bpf_prog_call.h). What is said of a call, or of the program's own
    /// code, holds for the program alone.
    ///
    /// - Parameter line: what names the import.
    private func programs(like program: EntryProgram, refusedIn line: String, _ lines: [String]) -> [String] {
        // `bpf_add_provider()`: not the function is at fault, nor the kind of program, but its type.
        let isOfType = lines.contains { $0.hasPrefix("cannot import from prog ") }
        let rules = SectionRules(program.sectionName)
        guard isOfType || line.hasPrefix("cannot import "), let type = SectionType(section: program.sectionName),
            isOfType || !rules.hasBTFTarget
        else { return [program.name] }
        return programs.filter { other in
            let otherType = SectionType(section: other.sectionName)
            return isOfType
                ? otherType?.program == type.program : SectionRules(other.sectionName).kind == rules.kind && otherType == type
        }.map(\.name)
    }

    /// The shared functions that have the function in them that the verifier looked at last.
    private func functions(behind log: VerifierLog?) -> [String] {
        guard let refused = log?.lastValidated else { return [] }
        return sharing.functions.filter { function in
            guard let index = object.functions.firstIndex(of: function.export.function) else { return false }
            return object.reachableFunctions(from: index).contains { object.functions[$0].name == refused }
        }.map(\.name)
    }
}

extension VerifierLog {
    /// The global function in whose verification the log ends: `Validating NAME() func#1...`. nil if all that were begun passed: what
    /// comes after is about the program as a whole.
    var lastValidated: String? {
        let mark = "Validating "
        let lines = lines
        guard let index = lines.lastIndex(where: { $0.hasPrefix(mark) && $0.contains("() func#") }),
            !lines[index...].contains(where: { $0.hasPrefix("Func#") && $0.contains(" is safe for any args ") })
        else { return nil }
        return String(lines[index].dropFirst(mark.count).prefix { $0 != "(" })
    }
}

extension KernelError {
    /// Says why an import that the kernel refused was not copied, where the user left it to bpflink.
    func tellingWhyNothingIsCopied(for plan: LinkPlan) -> KernelError {
        guard let program, code == .verifier, plan.mode == .auto else { return self }
        var error = self
        for binding in plan.calledImports(of: program) {
            guard case .call(_, let slot, _) = binding.target, plan.providers[slot.value].carried == nil,
                notes.contains(where: { $0.contains("\(binding.import.name)() ") })
            else { continue }
            error.notes.append("`\(binding.import.name)` cannot be copied instead: \(plan.providers[slot.value]) does not carry its object")
        }
        return error
    }

    /// A library was refused for one of its functions: says what would become of the others.
    func tellingWhatElseAProviderCanDo(for plan: LinkPlan) -> KernelError {
        guard let program, code == .verifier, plan.object.isLibrary, program == plan.syntheticEntry?.name,
            !notes.contains(where: { $0.contains(" cannot be copied instead: ") })
        else { return self }
        var error = self
        let culprit = verifierLog?.lastValidated.map { "`\($0)`" } ?? "what the kernel does not take as an export"
        switch plan.mode {
        case .kernel:
            error.help.append(
                "`--mode auto` exports the rest of the library, and importers have a copy of \(culprit)"
                    + (plan.keepsBodies ? ", or are verified with it" : ""))
        case .auto where !plan.carriesOnly:
            error.notes.append("\(culprit) cannot be left to be copied: the library, or one that it imports from, carries no object")
        default: break
        }
        return error
    }

    /// An import was refused, and so was what had something else in its place.
    func tellingThatTheRestIsRefused(_ other: KernelError, for plan: LinkPlan) -> KernelError {
        let words = other.notes.filter { !notes.contains($0) }
        // A program that is wrong in itself is told so once.
        guard !words.isEmpty || notes.contains(where: { $0.hasPrefix("cannot import ") }) else { return self }
        var error = self
        let how = plan.copies.copied.isEmpty ? "verified with it" : "with a copy in its place"
        error.notes.append(
            "\(how) `\(other.program ?? program ?? "")` is refused as well"
                + (words.isEmpty ? "" : ": \(words.joined(separator: "; "))"))
        return error
    }
}
