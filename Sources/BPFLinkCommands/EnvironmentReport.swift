// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLink
import SystemPackage

// How `list` and `tree` show the kinds of programs that exports were verified for.

extension ProgramGraph.Node {
    /// The kinds of programs that its exports were verified for, one line each, and what memory that takes.
    var environmentLines: [String] {
        info.environments.map { "\(functionName(of: $0)) for \($0.kind): \($0.outcome)" }
            + (info.exportsSize > 0 ? ["\(info.exportsSize) bytes kept for importers"] : [])
    }

    var environmentsJSON: JSONValue {
        .array(info.environments.map { $0.json(of: functionName(of: $0)) })
    }

    private func functionName(of environment: ProgramInfo.Environment) -> String {
        guard info.exports.indices.contains(environment.export) else { return "(unknown)" }
        let id = info.exports[environment.export].typeID
        return exports.first { $0.typeID.value == id }?.name ?? "(unknown)"
    }
}

extension ProgramImport {
    /// `record from id 17 (library), verified for xdp: shared code`
    var words: String {
        "\(function ?? "(unknown)") from id \(providerID) (\(providerName))"
            + (environment.map { ", verified for \($0.kind): \($0.code)" } ?? "")
            + (verification == .chain ? ", verified with this program" : "") + (image.map { ", " + $0.words } ?? "")
    }

    /// The name, whether it is not the provider's own code that the program runs, and whether it was verified with the program.
    var label: String {
        (function ?? "(unknown)") + (environment.map { $0.ownCodeLength > 0 ? " (code for \($0.type))" : "" } ?? "")
            + (verification == .chain ? " (verified with it)" : "")
    }

    var json: JSONValue {
        .object([
            "name": function.map(JSONValue.string) ?? .null,
            "provider": .object(["id": .integer(providerID), "name": .string(providerName)]),
            "verify": .string(verification.rawValue), "environment": environment?.json(of: nil), "image": image?.json,
        ])
    }
}

extension ProgramInfo.Environment {
    /// The programs that it stands for, as far as they differ from what is usual: `cgroup_skb cgroup_inet_egress`, `kprobe, sleepable`.
    var kind: String {
        let attach = hasAttachType && AttachType.name(attachType) != "\(type)" ? " \(AttachType.name(attachType))" : ""
        let target = attachTypeID == 0 ? "" : " of BTF id \(attachTypeID)"
        let limits =
            (flags.contains(.sleepable) ? [", sleepable"] : []) + (flags.contains(.frames) ? [", frags"] : [])
            + (flags.contains(.gpl) ? [] : [", not GPL"]) + (flags.contains(.perfmon) ? [] : [", without CAP_PERFMON"])
        return "\(type)\(attach)\(target)\(limits.joined())"
    }

    /// An attach type is a part of cgroup and tracing programs; 0, which is one of cgroups, stands for none elsewhere.
    private var hasAttachType: Bool { attachType != 0 || "\(type)".hasPrefix("cgroup") }

    var code: String { ownCodeLength == 0 ? "shared code" : "\(ownCodeLength) bytes of code of its own" }

    var outcome: String {
        let work = "verified \(verifiedInstructions) insns in \(verificationTime / 1000) us"
        return error == 0 ? "\(work), \(code)" : "refused (\(Errno(rawValue: error))), \(work)"
    }

    /// - Parameter function: nil where it is said elsewhere.
    func json(of function: String?) -> JSONValue {
        .object([
            "function": function.map(JSONValue.string), "type": .string("\(type)"),
            "attach_type": hasAttachType ? .string(AttachType.name(attachType)) : nil,
            "attach_btf_id": attachTypeID == 0 ? nil : .integer(attachTypeID),
            "flags": .array(flags.names.map(JSONValue.string)), "errno": error == 0 ? nil : .integer(error),
            "verified_insns": .integer(verifiedInstructions), "verification_ns": .integer(verificationTime),
            "own_code_bytes": .integer(ownCodeLength), "bytes": .integer(size),
        ])
    }
}

extension ProgramInfo.Environment.Flags {
    /// The names of `BPF_PROG_ENV_*` in lower case.
    var names: [String] {
        let names: [(Self, String)] = [
            (.sleepable, "sleepable"), (.gpl, "gpl"), (.frames, "xdp_frags"), (.strictAlignment, "strict_alignment"),
            (.pointerLeaks, "ptr_leaks"), (.uninitializedStack, "uninit_stack"), (.bypassesSpectreV1, "bypass_spec_v1"),
            (.bypassesSpectreV4, "bypass_spec_v4"), (.perfmon, "cap_perfmon"), (.netAdmin, "cap_net_admin"),
            (.sysAdmin, "cap_sys_admin"),
        ]
        return names.filter { contains($0.0) }.map(\.1)
    }
}
