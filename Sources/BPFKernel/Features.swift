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
    /// A kernel is asked once; one that does not let itself be asked may do so later, of a process with more privileges.
    public static func functionCalls() -> FeatureAnswer { calls.answer() }

    /// Whether the kernel can keep the functions of a provider, and verify them with their importers.
    public static func functionBodies() -> FeatureAnswer { bodies.answer() }

    /// Whether the kernel shares the native code of subprograms among programs that ask for it.
    public static func sharedImages() -> FeatureAnswer { images.answer() }

    private static let calls = FlagProbe("FD + name calls", BPFLINK_F_EXPORT_SUBPROGS)
    private static let bodies = FlagProbe("full-chain imports", BPFLINK_F_KEEP_SUBPROGS)
    private static let images = FlagProbe("sharing of native code", BPFLINK_F_SHARE_SUBPROGS)

    /// Checks that the kernel has FD + name calls.
    ///
    /// - Throws: ``KernelError`` with code `feature`.
    public static func requireFunctionCalls() throws(KernelError) { try calls.require() }

    /// Checks that the kernel can verify functions with their importers.
    ///
    /// - Throws: ``KernelError`` with code `feature`.
    public static func requireFunctionBodies() throws(KernelError) { try bodies.require() }

    /// Checks that the kernel shares the native code of subprograms.
    ///
    /// - Throws: ``KernelError`` with code `feature`.
    public static func requireSharedImages() throws(KernelError) { try images.require() }

    /// The kernel's release, as `uname -r` prints it.
    public static var runningRelease: String {
        var names = utsname()
        guard uname(&names) == 0 else { return "(unknown)" }
        return withUnsafeBytes(of: names.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

/// Asks whether the kernel knows a flag of BPF_PROG_LOAD.
///
/// The probe loads `r0 = 0; exit` with the flag. A kernel with the feature takes it (there is no subprogram that it could be about);
/// any other refuses a flag it does not know with EINVAL (`bpf_prog_load()` in kernel/bpf/syscall.c). The same program without the
/// flag is loaded first, so that a kernel or a sandbox that refuses both is not taken for an old one.
private final class FlagProbe: Sendable {
    private let feature: String
    private let flag: UInt32
    private let known = Mutex<FeatureAnswer?>(nil)

    /// - Parameter feature: how messages name it.
    init(_ feature: String, _ flag: UInt32) {
        self.feature = feature
        self.flag = flag
    }

    func answer() -> FeatureAnswer {
        known.withLock { known in
            if let known { return known }
            let new = probe()
            if case .cannotTell = new { return new }
            known = new
            return new
        }
    }

    private func probe() -> FeatureAnswer {
        for flags in [0, flag] {
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

    func require() throws(KernelError) {
        switch answer() {
        case .present: return
        case .absent:
            throw KernelError(
                .feature, "kernel lacks \(feature); boot one with the patches of KernelPatches applied",
                notes: ["the running kernel is Linux \(Features.runningRelease)"],
                help: ["`bpflink-vm run --kernel patched -- COMMAND…` runs a command under such a kernel"])
        case .cannotTell(let error):
            throw KernelError(
                .feature, "cannot tell whether the kernel has \(feature): \(error)", errno: error,
                notes: ["the running kernel is Linux \(Features.runningRelease)"])
        }
    }
}
