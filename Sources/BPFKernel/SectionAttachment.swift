// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Glibc
import SystemPackage

extension SectionRules {
    /// Kinds of sections whose names can say where to attach, `.s` left out (libbpf's documentation, "Program Types and ELF
    /// Sections").
    private static let attachedKinds: Set<String> = [
        "kprobe", "kretprobe", "kprobe.multi", "kretprobe.multi", "uprobe", "uretprobe", "usdt", "ksyscall", "kretsyscall",
        "tracepoint", "tp", "raw_tracepoint", "raw_tp", "raw_tracepoint.w", "raw_tp.w", "fentry", "fexit", "fmod_ret", "tp_btf",
        "lsm", "iter",
    ]

    /// Whether the name says where to attach.
    var saysWhereToAttach: Bool {
        !target.isEmpty && Self.attachedKinds.contains(kind.hasSuffix(".s") ? String(kind.dropLast(2)) : kind)
    }
}

extension SectionRules {
    /// What helps where attaching ends with the error: the kernel says no more than ENOENT of what it does not find.
    func help(after error: Errno) -> [String] {
        guard error == .noSuchFileOrDirectory else { return [] }
        switch kind {
        case "tracepoint", "tp":
            return Self.hasTraceFiles
                ? ["/sys/kernel/tracing/available_events lists the tracepoints of the kernel"] : [Self.mountHelp]
        case "kprobe", "kretprobe", "ksyscall", "kretsyscall":
            // A kernel without this device takes probes through tracefs only.
            let hasDevice = access("/sys/bus/event_source/devices/kprobe/type", F_OK) == 0
            return hasDevice || Self.hasTraceFiles ? ["/proc/kallsyms lists the functions of the kernel"] : [Self.mountHelp]
        default: return []
        }
    }

    /// Where libbpf looks, in this order, is a tracefs in at least one place.
    private static var hasTraceFiles: Bool {
        ["/sys/kernel/debug/tracing", "/sys/kernel/tracing"].contains { access("\($0)/events", F_OK) == 0 }
    }

    private static let mountHelp =
        "/sys/kernel/tracing is empty, where the kernel tells of its tracepoints: `mount -t tracefs tracefs /sys/kernel/tracing`"
}

extension Attacher {
    /// The section names that say where to attach (libbpf's documentation, "Program Types and ELF Sections").
    func bySectionName() throws(CallFailure) -> OpaquePointer {
        let parts = section.split(separator: "/", maxSplits: 1).map(String.init)
        let target = parts.count > 1 ? parts[1] : ""
        var kind = parts.first ?? ""
        if kind.hasSuffix(".s") { kind.removeLast(2) }
        switch kind {
        case "kprobe", "kretprobe":
            let pieces = target.split(separator: "+", maxSplits: 1)
            var options = bpf_kprobe_opts()
            clearOptions(&options)
            options.sz = MemoryLayout<bpf_kprobe_opts>.size
            options.retprobe = kind == "kretprobe"
            options.offset = pieces.count > 1 ? Self.number(pieces[1]) ?? 0 : 0
            let function = String(pieces.first ?? "")
            return try libbpfPointer { bpf_program__attach_kprobe_opts(program, function, &options) }
        case "kprobe.multi", "kretprobe.multi":
            var options = bpf_kprobe_multi_opts()
            clearOptions(&options)
            options.sz = MemoryLayout<bpf_kprobe_multi_opts>.size
            options.retprobe = kind == "kretprobe.multi"
            return try libbpfPointer { bpf_program__attach_kprobe_multi_opts(program, target, &options) }
        case "uprobe", "uretprobe":
            let pieces = target.split(separator: ":", maxSplits: 1).map(String.init)
            guard pieces.count == 2 else { break }
            return try byUserFunction(pieces[1], in: pieces[0], isReturn: kind == "uretprobe")
        case "usdt":
            let pieces = target.split(separator: ":").map(String.init)
            guard pieces.count == 3 else { break }
            return try libbpfPointer { bpf_program__attach_usdt(program, -1, pieces[0], pieces[1], pieces[2], nil) }
        case "ksyscall", "kretsyscall":
            var options = bpf_ksyscall_opts()
            clearOptions(&options)
            options.sz = MemoryLayout<bpf_ksyscall_opts>.size
            options.retprobe = kind == "kretsyscall"
            return try libbpfPointer { bpf_program__attach_ksyscall(program, target, &options) }
        case "tracepoint", "tp":
            let pieces = target.split(separator: "/", maxSplits: 1).map(String.init)
            guard pieces.count == 2 else { break }
            return try libbpfPointer { bpf_program__attach_tracepoint(program, pieces[0], pieces[1]) }
        case "raw_tracepoint", "raw_tp", "raw_tracepoint.w", "raw_tp.w":
            return try libbpfPointer { bpf_program__attach_raw_tracepoint(program, target) }
        case "fentry", "fexit", "fmod_ret", "tp_btf":
            return try libbpfPointer { bpf_program__attach_trace(program) }
        case "lsm":
            return try libbpfPointer { bpf_program__attach_lsm(program) }
        case "iter":
            return try libbpfPointer { bpf_program__attach_iter(program, nil) }
        default: break
        }
        throw CallFailure(errno: .notSupported, log: ["the section name does not say where to attach"])
    }

    /// - Parameter place: a function, or `function+offset`.
    private func byUserFunction(_ place: String, in binary: String, isReturn: Bool) throws(CallFailure) -> OpaquePointer {
        let pieces = place.split(separator: "+", maxSplits: 1)
        let offset = pieces.count > 1 ? Self.number(pieces[1]) ?? 0 : 0
        var options = bpf_uprobe_opts()
        clearOptions(&options)
        options.sz = MemoryLayout<bpf_uprobe_opts>.size
        options.retprobe = isReturn
        return try libbpfPointer {
            String(pieces.first ?? "").withCString { function in
                options.func_name = function
                return bpf_program__attach_uprobe_opts(program, -1, binary, offset, &options)
            }
        }
    }

    private static func number(_ text: Substring) -> Int? {
        text.hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text)
    }
}
