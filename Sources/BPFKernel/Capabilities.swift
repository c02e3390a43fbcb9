// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import CLibcap

/// The capabilities that bpf(2) asks for (capabilities(7)).
public enum Capability: String, CaseIterable, Sendable, Comparable {
    case bpf = "CAP_BPF"
    case perfmon = "CAP_PERFMON"
    case netAdmin = "CAP_NET_ADMIN"
    case sysAdmin = "CAP_SYS_ADMIN"

    var number: cap_value_t {
        switch self {
        case .bpf: CAP_BPF
        case .perfmon: CAP_PERFMON
        case .netAdmin: CAP_NET_ADMIN
        case .sysAdmin: CAP_SYS_ADMIN
        }
    }

    public static func < (left: Capability, right: Capability) -> Bool {
        left.number > right.number
    }
}

/// Something bpflink is about to ask of the kernel, as far as capabilities go.
public enum PrivilegedAction: Hashable, Sendable {
    /// BPF_PROG_LOAD of a program of this type, with its maps and BTF.
    case load(ProgramType)
    /// Attaching a program of this type to a cgroup or a network device.
    case attachToNetwork(ProgramType)
    /// Finding programs, or the BTF of a program, by their ids.
    case lookUp
    /// Mounting the BPF file system.
    case mount

    /// What the kernel checks: kernel/bpf/syscall.c, `bpf_prog_load()` with `is_net_admin_prog_type()` and
    /// `is_perfmon_prog_type()`, `bpf_prog_attach_check_attach_type()`, `bpf_obj_get_next_id()`, `bpf_prog_get_fd_by_id()`
    /// and `bpf_btf_get_fd_by_id()`; mount(2).
    public var needs: Set<Capability> {
        switch self {
        case .load(let type):
            var needs: Set<Capability> = [.bpf]
            if Self.perfmonTypes.contains(type.rawValue) { needs.insert(.perfmon) }
            if Self.netAdminTypes.contains(type.rawValue) { needs.insert(.netAdmin) }
            return needs
        case .attachToNetwork: return [.netAdmin]
        case .lookUp, .mount: return [.sysAdmin]
        }
    }

    private static let perfmonTypes: Set<UInt32> = Set(
        [
            BPF_PROG_TYPE_KPROBE, BPF_PROG_TYPE_TRACEPOINT, BPF_PROG_TYPE_PERF_EVENT, BPF_PROG_TYPE_RAW_TRACEPOINT,
            BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, BPF_PROG_TYPE_TRACING, BPF_PROG_TYPE_LSM, BPF_PROG_TYPE_STRUCT_OPS,
            BPF_PROG_TYPE_EXT,
        ].map(\.rawValue))

    /// BPF_PROG_TYPE_NETFILTER is newer than the headers of Linux 6.1.
    private static let netfilter: UInt32 = 32

    private static let netAdminTypes: Set<UInt32> = Set(
        [
            BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_SCHED_ACT, BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_LWT_IN, BPF_PROG_TYPE_LWT_OUT,
            BPF_PROG_TYPE_LWT_XMIT, BPF_PROG_TYPE_LWT_SEG6LOCAL, BPF_PROG_TYPE_SK_SKB, BPF_PROG_TYPE_SK_MSG,
            BPF_PROG_TYPE_FLOW_DISSECTOR, BPF_PROG_TYPE_CGROUP_DEVICE, BPF_PROG_TYPE_CGROUP_SOCK,
            BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_PROG_TYPE_CGROUP_SOCKOPT, BPF_PROG_TYPE_CGROUP_SYSCTL,
            BPF_PROG_TYPE_SOCK_OPS, BPF_PROG_TYPE_EXT,
        ].map(\.rawValue)
    ).union([netfilter])

    var description: String {
        switch self {
        case .load(let type): "loading \(type.withArticle) program"
        case .attachToNetwork(let type): "attaching \(type.withArticle) program"
        case .lookUp: "looking up programs and their BTF by id"
        case .mount: "mounting the BPF file system"
        }
    }
}

/// The capabilities that are effective for this process.
public struct Capabilities: Sendable, Equatable {
    public var effective: Set<Capability>

    public init(effective: Set<Capability>) {
        self.effective = effective
    }

    /// Reads the calling process's effective capabilities.
    ///
    /// - Throws: ``KernelError`` if the system does not tell.
    public static func ofThisProcess() throws(KernelError) -> Capabilities {
        guard let state = cap_get_proc() else {
            throw KernelError(.system, "the capabilities of this process cannot be read")
        }
        defer { cap_free(UnsafeMutableRawPointer(state)) }
        var effective: Set<Capability> = []
        for capability in Capability.allCases {
            var flag = CAP_CLEAR
            if cap_get_flag(state, capability.number, CAP_EFFECTIVE, &flag) == 0, flag == CAP_SET {
                effective.insert(capability)
            }
        }
        return Capabilities(effective: effective)
    }

    /// What is missing for the action. CAP_SYS_ADMIN stands in for each of the others
    /// (kernel/bpf/token.c, `bpf_ns_capable()`).
    public func missing(for action: PrivilegedAction) -> Set<Capability> {
        effective.contains(.sysAdmin) ? [] : action.needs.subtracting(effective)
    }

    /// Checks several actions at once, before any of them is begun.
    ///
    /// - Throws: ``KernelError`` with code `capability` that names all that are needed, and what this process has of it.
    public func check(_ actions: some Sequence<PrivilegedAction>) throws(KernelError) {
        let lacking = actions.filter { !missing(for: $0).isEmpty }
        guard let first = lacking.first else { return }
        let distinct = lacking.reduce(into: [PrivilegedAction]()) { if !$0.contains($1) { $0.append($1) } }
        let needs = lacking.reduce(into: Set<Capability>()) { $0.formUnion($1.needs) }
        throw KernelError(
            .capability,
            "\(distinct.count == 1 ? first.description : "this") needs \(Self.list(needs)); have \(Self.list(effective))",
            notes: distinct.count == 1 ? [] : distinct.map { "\($0.description) needs \(Self.list($0.needs))" },
            help: ["run it as root, or with these capabilities (CAP_SYS_ADMIN includes them)"])
    }

    private static func list(_ capabilities: Set<Capability>) -> String {
        let names = capabilities.sorted().map(\.rawValue)
        guard let last = names.last else { return "none" }
        return names.count == 1 ? last : names.dropLast().joined(separator: ", ") + " and " + last
    }
}
