// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject
import SystemPackage

extension KernelError {
    /// A program that BPF_PROG_LOAD refused.
    static func refused(program: String, type: ProgramType, errno: Errno, log: VerifierLog) -> KernelError {
        let reasons = log.conclusion
        guard !reasons.isEmpty else {
            return KernelError(
                .load, "the kernel refuses to load `\(program)` (\(type)): \(errno)", errno: errno,
                notes: ["the verifier said nothing: the kernel refused before it looked at instructions"], program: program)
        }
        return KernelError(
            .verifier, "the verifier refuses `\(program)` (\(type)): \(errno)", errno: errno, notes: reasons,
            help: log.suggestion.map { [$0] } ?? [], program: program, verifierLog: log)
    }

    /// An object that bpf_object__load gave up.
    ///
    /// libbpf says which program it was in its log: `libbpf: prog 'NAME': …`.
    static func notLoaded(_ object: String, _ failure: CallFailure, log: VerifierLog) -> KernelError {
        let prefix = "libbpf: prog '"
        let program = failure.log.last { $0.hasPrefix(prefix) }?.dropFirst(prefix.count).prefix { $0 != "'" }
        guard let program, !log.conclusion.isEmpty else {
            return KernelError(
                .load, "\(object) cannot be loaded", failure, notes: failure.lastWords, help: failure.pinHelp)
        }
        return KernelError(
            .verifier, "the verifier refuses `\(program)`: \(failure.reason)", errno: failure.errno,
            notes: log.conclusion, help: log.suggestion.map { [$0] } ?? [], program: String(program), verifierLog: log,
            libbpfLog: failure.log)
    }
}

extension KernelError {
    /// Says which import is meant where the verifier met a call to a weak import that is bound to nothing; the linker gave such
    /// calls a number that no helper has.
    func namingUnboundImport(of plan: LinkPlan) -> KernelError {
        let mark = "unknown#"
        for note in notes {
            guard let start = note.indices.first(where: { note[$0...].hasPrefix(mark) }),
                let number = Int32(note[start...].dropFirst(mark.count).prefix(while: \.isNumber)),
                let name = plan.poisonedImport(number)
            else { continue }
            var error = self
            error.notes.append("this is a call of `\(name)`, a weak import that is bound to nothing")
            error.help = ["`--import REF:\(name)` binds it; or test its address before the call: `if (\(name))`"]
            return error
        }
        return self
    }
}

extension CallFailure {
    /// What libbpf said since it last told of a success: the first of these lines mostly has the reason, those behind it what came
    /// of it.
    var lastWords: [String] {
        let failed = log[(log.lastIndex { $0.contains("successfully") } ?? -1).advanced(by: 1)...]
        return failed.filter { line in !Self.noise.contains { line.contains($0) } }.suffix(6).map { $0.replacingLibraryPrefix }
    }

    /// What helps where libbpf could not pin a map by its name.
    fileprivate var pinHelp: [String] {
        let failed = log.contains { $0.contains("failed to auto-pin") }
        return failed && !PinPath.isInFileSystem(PinPath.defaultMountPoint) ? [PinPath.mountHelp] : []
    }

    /// Frames of logs that are shown elsewhere, what the error itself says, and numbers that libbpf has no words for.
    private static let noise = ["LOAD LOG", "failed to load object", "strerror_r("]
}

extension String {
    /// libbpf's message without its own name in front.
    fileprivate var replacingLibraryPrefix: String {
        hasPrefix("libbpf: ") ? String(dropFirst("libbpf: ".count)) : self
    }
}
