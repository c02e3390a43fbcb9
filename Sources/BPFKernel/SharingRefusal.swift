// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject

extension LinkPlan {
    /// The plan without what the kernel just refused to share; nil if sharing is not why it refused.
    ///
    /// What the provider was refused for may be refused in copies, too: the second attempt tells, in the words that the object
    /// would have met without sharing.
    func replanned(after error: KernelError) -> LinkPlan? {
        guard isShared, let program = error.program else { return nil }
        if program == syntheticEntry?.name {
            return refusing(functions: functions(behind: error.verifierLog), program: nil, words: error.notes)
        }
        guard sharing.importers.contains(program), let log = error.verifierLog else { return nil }
        for line in log.conclusion {
            if let function = sharing.functions.first(where: { line.hasPrefix("cannot import \($0.name)() from prog ") }) {
                return refusing(functions: [function.name], program: nil, words: log.conclusion)
            }
            // How this program calls it is at fault: its arguments, its locks, its stack; or that it imports at all.
            let isCall = sharing.functions.contains { line.contains("\($0.name)() of prog ") }
            if isCall || line.hasPrefix("cannot import from ") || line.hasPrefix("JIT does not support calling other") {
                return refusing(functions: [], program: program, words: log.conclusion)
            }
        }
        return nil
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
