// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject

extension LinkPlan {
    /// The plan without what the kernel just refused to share; nil if the program that it refused shares nothing.
    ///
    /// Which rule it was that the kernel applied does not matter: what is refused for other reasons than sharing is refused again
    /// in copies, and then in the words that it would have met without sharing.
    func replanned(after error: KernelError) -> LinkPlan? {
        guard isShared, let program = error.program else { return nil }
        if program == syntheticEntry?.name {
            return refusing(functions: functions(behind: error.verifierLog), program: nil, words: error.notes)
        }
        guard sharing.importers.contains(program) else { return nil }
        // The function is at fault, whoever imports it (`import_error()` in kernel/bpf/prog_call.c); else how this program calls.
        let function = sharing.functions.first { function in
            error.notes.contains { $0.hasPrefix("cannot import \(function.name)() from prog ") }
        }
        return refusing(functions: function.map { [$0.name] } ?? [], program: function == nil ? program : nil, words: error.notes)
    }

    /// The shared functions that have the function in them that the verifier looked at last; if that is none, all of them.
    private func functions(behind log: VerifierLog?) -> [String] {
        let names = sharing.functions.map(\.name)
        guard let refused = log?.lastValidated else { return names }
        let behind = sharing.functions.filter { function in
            guard let index = object.functions.firstIndex(of: function.export.function) else { return false }
            return object.reachableFunctions(from: index).contains { object.functions[$0].name == refused }
        }
        return behind.isEmpty ? names : behind.map(\.name)
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
