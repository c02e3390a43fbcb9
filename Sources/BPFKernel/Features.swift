// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CBPFLinkUAPI
import CLibbpf
import Glibc
import Synchronization
public import SystemPackage

/// Whether the running kernel has a feature.
public enum FeatureAnswer: Sendable, Equatable {
    case present
    case absent
    /// The probe itself was refused, so it says nothing about the feature.
    case cannotTell(Errno)
}

/// What the running kernel can do.
public enum Features {
    /// Whether the kernel has FD + name calls: exports, and imports of them.
    ///
    /// The probe loads `r0 = 0; exit` with BPF_F_EXPORT_SUBPROGS. A kernel with the feature takes it (there is nothing to
    /// export); any other refuses a flag it does not know with EINVAL (`bpf_prog_load()` in kernel/bpf/syscall.c). The same
    /// program without the flag is loaded first, so that a kernel or a sandbox that refuses both is not taken for an old one.
    ///
    /// A kernel is asked once; one that does not let itself be asked may do so later, of a process with more privileges.
    public static func functionCalls() -> FeatureAnswer {
        answer.withLock { answer in
            if let answer { return answer }
            let new = probe()
            if case .cannotTell = new { return new }
            answer = new
            return new
        }
    }

    private static let answer = Mutex<FeatureAnswer?>(nil)

    private static func probe() -> FeatureAnswer {
        for flags in [0, BPFLINK_F_EXPORT_SUBPROGS] {
            let probe = ProgramLoad(
                type: ProgramType(rawValue: BPF_PROG_TYPE_SOCKET_FILTER.rawValue), name: "bpflink_probe", license: "GPL",
                instructions: Instructions.returnZero, flags: flags)
            do throws(ProgramLoad.Refusal) {
                _ = try probe.run(isVerbose: false)
            } catch {
                return flags != 0 && error.errno == .invalidArgument ? .absent : .cannotTell(error.errno)
            }
        }
        return .present
    }

    /// Checks that the kernel has FD + name calls.
    ///
    /// - Throws: ``KernelError`` with code `feature`.
    public static func requireFunctionCalls() throws(KernelError) {
        switch functionCalls() {
        case .present: return
        case .absent:
            throw KernelError(
                .feature, "kernel lacks FD + name calls; boot one with the patches of KernelPatches applied",
                notes: ["the running kernel is Linux \(runningRelease)"],
                help: ["`bpflink-vm run --kernel patched -- COMMAND…` runs a command under such a kernel"])
        case .cannotTell(let error):
            throw KernelError(
                .feature, "cannot tell whether the kernel has FD + name calls: \(error)", errno: error,
                notes: ["the running kernel is Linux \(runningRelease)"])
        }
    }

    /// The kernel's release, as `uname -r` prints it.
    public static var runningRelease: String {
        var names = utsname()
        guard uname(&names) == 0 else { return "(unknown)" }
        return withUnsafeBytes(of: names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
