// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf

/// A kind of program that imports: what BPF_PROG_LOAD has to be told of it.
struct ProgramKind: Sendable {
    let name: String
    let type: bpf_prog_type
    var attachType: UInt32 = 0
    /// The traced kernel function, for programs that attach by type information.
    var traced: String?
    var flags: UInt32 = 0
    /// Whether BPF_PROG_TEST_RUN runs programs of the kind and they may return anything.
    var runs = false
    /// What programs of the kind return that may not return anything.
    var constant: Int32 = 0

    /// The instructions after the call.
    var ending: [bpf_insn] { runs ? [.exit] : [.set(0, constant), .exit] }

    func attachTypeID() throws -> UInt32 {
        guard let traced else { return 0 }
        let id = libbpf_find_vmlinux_btf_id(traced, bpf_attach_type(attachType))
        return UInt32(try require(id > 0 ? id : nil, "the kernel has no function \(traced)"))
    }

    static let socketFilter = ProgramKind(name: "socket_filter", type: BPF_PROG_TYPE_SOCKET_FILTER, runs: true)
    static let kprobe = ProgramKind(name: "kprobe", type: BPF_PROG_TYPE_KPROBE)
    static let tracepoint = ProgramKind(name: "tracepoint", type: BPF_PROG_TYPE_TRACEPOINT)
    static let rawTracepoint = ProgramKind(name: "raw_tracepoint", type: BPF_PROG_TYPE_RAW_TRACEPOINT)
    static let perfEvent = ProgramKind(name: "perf_event", type: BPF_PROG_TYPE_PERF_EVENT)
    static let schedCls = ProgramKind(name: "sched_cls", type: BPF_PROG_TYPE_SCHED_CLS, runs: true)
    static let schedAct = ProgramKind(name: "sched_act", type: BPF_PROG_TYPE_SCHED_ACT, runs: true)
    static let xdp = ProgramKind(name: "xdp", type: BPF_PROG_TYPE_XDP, runs: true)
    static let cgroupSkb = ProgramKind(name: "cgroup_skb", type: BPF_PROG_TYPE_CGROUP_SKB, constant: 1)
    static let cgroupSock = ProgramKind(
        name: "cgroup_sock", type: BPF_PROG_TYPE_CGROUP_SOCK, attachType: BPF_CGROUP_INET_SOCK_CREATE.rawValue, constant: 1)
    static let cgroupConnect = ProgramKind(
        name: "cgroup_sock_addr", type: BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attachType: BPF_CGROUP_INET4_CONNECT.rawValue,
        constant: 1)
    static let fentry = ProgramKind(
        name: "fentry", type: BPF_PROG_TYPE_TRACING, attachType: BPF_TRACE_FENTRY.rawValue, traced: "bpf_fentry_test1")

    /// One of each program type that can import.
    static let all = [
        socketFilter, kprobe, tracepoint, rawTracepoint, perfEvent, schedCls, schedAct, xdp, cgroupSkb, cgroupSock,
        cgroupConnect, fentry,
    ]

    /// The same, sleepable.
    var sleepable: ProgramKind {
        var kind = self
        kind.flags = UInt32(BPF_F_SLEEPABLE)
        return kind
    }
}
