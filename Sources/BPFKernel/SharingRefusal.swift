// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject

extension LinkPlan {
    /// The plan without what the kernel just refused to share; nil if the program that it refused shares nothing.
    ///
    /// A function that one program cannot import stays shared by programs of other kinds. Which rule it was that the kernel applied
    /// does not matter: what is refused for other reasons than sharing is refused again in copies, and then in the words that it
    /// would have met without sharing.
    func replanned(after error: KernelError) -> LinkPlan? {
        guard isShared, let name = error.program else { return nil }
        if name == syntheticEntry?.name {
            let functions = functions(behind: error.verifierLog)
            return refusing { refusals in
                // Without a culprit another type will not do either.
                guard !functions.isEmpty else {
                    for function in sharing.functions { refusals.functions[function.name] = error.notes }
                    return
                }
                for function in functions { refusals.providers[sharing.providerType, default: [:]][function] = error.notes }
            }
        }
        guard sharing.importers.contains(name), let program = programs.first(where: { $0.name == name }) else { return nil }
        let lines = error.verifierLog?.lines.map(String.init) ?? error.notes
        let function = functionNamed(in: lines)
        // `bpf_add_provider()`: not the function is at fault, nor the kind of program, but its type.
        let isOfType = lines.contains { $0.hasPrefix("cannot import from prog ") }
        return refusing { refusals in
            for program in self.programs(like: program, inAll: !isOfType) where sharing.importers.contains(program) {
                guard let function else {
                    refusals.programs[program] = error.notes
                    continue
                }
                refusals.imports[program, default: [:]][function] = error.notes
            }
        }
    }

    /// The shared function that the log names last: `cannot import NAME() from prog …` of `import_error()` in
    /// kernel/bpf/prog_call.c, or `… NAME() of prog …` of the checks of a call.
    private func functionNamed(in lines: [String]) -> String? {
        for line in lines.reversed() where !line.hasSuffix(" is imported and known to be valid.") {
            let function = sharing.functions.first { function in
                [" from prog ", " of prog "].contains { (" " + line).contains(" \(function.name)()\($0)") }
            }
            if let function { return function.name }
        }
        return nil
    }

    /// The programs that the kernel verifies an import for as for this one, itself included: of the same section but for the
    /// target, where the target is not part of what it asks (`struct bpf_prog_environment` in include/linux/bpf_prog_call.h).
    ///
    /// - Parameter inAll: whether they are alike in more than their type.
    private func programs(like program: EntryProgram, inAll: Bool) -> [String] {
        let rules = SectionRules(program.sectionName)
        guard let type = SectionType(section: program.sectionName), !inAll || !rules.hasBTFTarget else { return [program.name] }
        return programs.filter { other in
            let otherType = SectionType(section: other.sectionName)
            return inAll
                ? SectionRules(other.sectionName).kind == rules.kind && otherType == type : otherType?.program == type.program
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
    /// The global function whose verification the log tells of last: `Validating NAME() func#1...`.
    var lastValidated: String? {
        let mark = "Validating "
        let line = lines.last { $0.hasPrefix(mark) && $0.contains("() func#") }
        return line.map { String($0.dropFirst(mark.count).prefix { $0 != "(" }) }
    }
}
