// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Glibc
import SystemPackage

/// Where loaded programs are to be attached.
public enum AttachTarget: Hashable, Sendable, CustomStringConvertible {
    /// Wherever each program's section name says.
    case section
    /// Programs of a cgroup type: to the cgroup at a path.
    case cgroup(String)
    /// XDP programs: to a network interface.
    case xdp(String)

    /// Reads `section`, `cgroup=PATH` or `xdp=INTERFACE`.
    ///
    /// - Returns: nil if the text is none of these.
    public init?(_ text: String) {
        if text == "section" {
            self = .section
            return
        }
        guard let separator = text.firstIndex(of: "=") else { return nil }
        let value = String(text[text.index(after: separator)...])
        guard !value.isEmpty else { return nil }
        switch text[..<separator] {
        case "cgroup": self = .cgroup(value)
        case "xdp": self = .xdp(value)
        default: return nil
        }
    }

    public var description: String {
        switch self {
        case .section: "section"
        case .cgroup(let path): "cgroup=\(path)"
        case .xdp(let interface): "xdp=\(interface)"
        }
    }

    /// Whether programs of the type can be attached to such a target; sections say it for themselves.
    func takes(_ type: ProgramType) -> Bool {
        switch self {
        case .section: !AttachTarget.cgroupTypes.contains(type.rawValue) && type.rawValue != BPF_PROG_TYPE_XDP.rawValue
        case .cgroup: AttachTarget.cgroupTypes.contains(type.rawValue)
        case .xdp: type.rawValue == BPF_PROG_TYPE_XDP.rawValue
        }
    }

    /// Types of programs that are attached to control groups.
    static let cgroupTypes: Set<UInt32> = Set(
        [
            BPF_PROG_TYPE_CGROUP_SKB, BPF_PROG_TYPE_CGROUP_SOCK, BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_PROG_TYPE_CGROUP_SOCKOPT,
            BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_PROG_TYPE_CGROUP_DEVICE, BPF_PROG_TYPE_SOCK_OPS,
        ].map(\.rawValue))
}

/// One attachment of one program (a `bpf_link`); it lasts as long as this value, or as its pin.
public final class Attachment: @unchecked Sendable {
    /// Where the program is attached, in words.
    public let place: String
    private let pointer: OpaquePointer
    private var isPinned = false

    init(owning pointer: OpaquePointer, place: String) {
        self.pointer = pointer
        self.place = place
    }

    deinit {
        guard isPinned else {
            bpf_link__destroy(pointer)
            return
        }
        // libbpf would disable a link's perf event along with its own handle; disconnected, it does not even close the link.
        let own = descriptor
        bpf_link__disconnect(pointer)
        bpf_link__destroy(pointer)
        close(own)
    }

    var descriptor: CInt { bpf_link__fd(pointer) }

    /// Leaves the attachment to its pin.
    func markPinned() {
        isPinned = true
    }
}

/// Attaches one program of a bpf_object.
struct Attacher {
    let program: OpaquePointer
    let name: String
    let section: String
    /// Whether bpflink loaded the program itself; libbpf has lost the section's rules then.
    let isInterposed: Bool

    /// - Throws: ``KernelError`` with code `attach`.
    func attach(to target: AttachTarget) throws(KernelError) -> Attachment {
        do throws(CallFailure) {
            switch target {
            case .section:
                let pointer = try isInterposed ? bySectionName() : libbpfPointer { bpf_program__attach(program) }
                return Attachment(owning: pointer, place: section)
            case .cgroup(let path):
                let directory = AnyDescriptor(
                    owning: try systemCall { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
                let pointer = try libbpfPointer { bpf_program__attach_cgroup(program, directory.number) }
                return Attachment(owning: pointer, place: target.description)
            case .xdp(let interface):
                let index = if_nametoindex(interface)
                guard index != 0 else { throw CallFailure(errno: Errno(rawValue: errno), log: []) }
                let pointer = try libbpfPointer { bpf_program__attach_xdp(program, CInt(index)) }
                return Attachment(owning: pointer, place: target.description)
            }
        } catch {
            let place = target == .section ? "by its section `\(section)`" : "to \(target)"
            throw KernelError(.attach, "`\(name)` cannot be attached \(place)", error)
        }
    }

    /// The section names that say where to attach (libbpf's documentation, "Program Types and ELF Sections").
    private func bySectionName() throws(CallFailure) -> OpaquePointer {
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
