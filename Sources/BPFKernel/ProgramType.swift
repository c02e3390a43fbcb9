// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf

/// A program type (`enum bpf_prog_type`); types that this build's headers do not know yet are kept as numbers.
public struct ProgramType: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    public var rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// Programs that take the place of a function of another program (freplace).
    static let replacement = ProgramType(rawValue: BPF_PROG_TYPE_EXT.rawValue)

    /// Whether the kernel wants such programs with something of its own types: a function, a hook, a structure of functions.
    var isBoundToBTF: Bool {
        [BPF_PROG_TYPE_TRACING, BPF_PROG_TYPE_LSM, BPF_PROG_TYPE_EXT, BPF_PROG_TYPE_STRUCT_OPS].contains { $0.rawValue == rawValue }
    }

    /// libbpf's word for the type, as in `bpftool prog`: `kprobe`, `cgroup_skb`, …; `type 40` when libbpf has none.
    public var description: String {
        libbpf_bpf_prog_type_str(bpf_prog_type(rawValue)).map { String(cString: $0) } ?? "type \(rawValue)"
    }
}

extension ProgramType {
    /// The type with an article, as it is spoken: `a kprobe`, `an xdp`.
    public var withArticle: String {
        let startsWithVowel = ["xdp", "lsm", "lwt", "sk_", "ext", "unspec"].contains { description.hasPrefix($0) }
        return "\(startsWithVowel ? "an" : "a") \(self)"
    }
}

/// Names of attach types (`enum bpf_attach_type`).
public enum AttachType {
    /// libbpf's word for an attach type, with its number where libbpf does not know it: `cgroup_inet_egress`, `#99`.
    public static func name(_ type: UInt32) -> String {
        libbpf_bpf_attach_type_str(bpf_attach_type(rawValue: type)).map { String(cString: $0) } ?? "#\(type)"
    }
}

/// What an ELF section's name says about the program in it, by libbpf's rules.
public struct SectionType: Hashable, Sendable {
    public var program: ProgramType
    /// `enum bpf_attach_type`, to be given as `expected_attach_type`.
    public var attach: UInt32

    /// Reads a section name such as `kprobe/__set_task_comm`.
    ///
    /// - Returns: nil if libbpf knows no program type for the section.
    public init?(section: String) {
        var type = bpf_prog_type(0)
        var attach = bpf_attach_type(0)
        var result: CInt = -1
        _ = LibbpfLog.capture { result = libbpf_prog_type_by_name(SectionType.name(of: section), &type, &attach) }
        guard result == 0 else { return nil }
        self.program = ProgramType(rawValue: type.rawValue)
        self.attach = attach.rawValue
    }

    /// The section name without the leading `?` that asks libbpf not to load the program by itself.
    static func name(of section: String) -> String {
        section.first == "?" ? String(section.dropFirst()) : section
    }
}
