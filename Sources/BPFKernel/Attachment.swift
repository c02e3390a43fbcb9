// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Glibc
import SystemPackage

/// One attachment of one program (a `bpf_link`), or of a map of functions; it lasts as long as this value, or as its pin.
public final class Attachment: @unchecked Sendable {
    /// What the kernel knows the attachment by.
    enum Handle {
        /// libbpf's `struct bpf_link`, for what has to be undone by it.
        case link(OpaquePointer)
        /// The descriptor of a link, which is all that there is to it.
        case descriptor(CInt)
        /// libbpf's `struct bpf_link` of an attachment in several places, which the kernel has a link of each for.
        case parts(OpaquePointer)
        /// libbpf's `struct bpf_link` of a map of functions, whose descriptor is the map's and libbpf's.
        case structOps(OpaquePointer)
    }

    /// Where the program is attached, in words.
    public let place: String
    private let handle: Handle
    private var isPinned = false

    init(owning handle: Handle, place: String) {
        self.handle = handle
        self.place = place
    }

    deinit {
        switch handle {
        case .descriptor(let number): close(number)
        case .link(let pointer) where isPinned:
            // libbpf would disable a link's perf event along with its own handle; disconnected, it does not even close the link.
            let own = bpf_link__fd(pointer)
            bpf_link__disconnect(pointer)
            bpf_link__destroy(pointer)
            close(own)
        case .structOps(let pointer) where isPinned:
            bpf_link__disconnect(pointer)
            bpf_link__destroy(pointer)
        case .link(let pointer), .parts(let pointer), .structOps(let pointer): bpf_link__destroy(pointer)
        }
    }

    /// nil if there is none for the whole.
    var descriptor: CInt? {
        switch handle {
        case .link(let pointer), .structOps(let pointer): bpf_link__fd(pointer)
        case .parts: nil
        case .descriptor(let number): number
        }
    }

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

    /// - Returns: one attachment, or one per CPU.
    /// - Throws: ``KernelError`` with code `attach`; nothing stays attached then.
    func attach(to target: AttachTarget) throws(KernelError) -> [Attachment] {
        do throws(CallFailure) {
            if case .perfEvent(let event) = target { return try toEveryCPU(event) }
            let place = target == .section ? section : target.description
            return [Attachment(owning: try handle(for: target), place: place)]
        } catch {
            let place = target == .section ? "by its section `\(section)`" : "to \(target)"
            throw KernelError(
                .attach, "`\(name)` cannot be attached \(place)", error, notes: error.lastWords,
                help: target == .section ? SectionRules(section).help(after: error.errno) : [])
        }
    }

    private func handle(for target: AttachTarget) throws(CallFailure) -> Attachment.Handle {
        switch target {
        case .section:
            let link = try isInterposed ? bySectionName() : libbpfPointer { bpf_program__attach(program) }
            return SectionRules(section).kind == "usdt" ? .parts(link) : .link(link)
        case .cgroup(let path):
            let directory = AnyDescriptor(owning: try systemCall { open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) })
            return .link(try libbpfPointer { bpf_program__attach_cgroup(program, directory.number) })
        case .xdp(let interface):
            let index = try Self.index(of: interface)
            return .link(try libbpfPointer { bpf_program__attach_xdp(program, index) })
        case .ingress(let interface): return try toTrafficControl(of: interface, Self.tcxIngress)
        case .egress(let interface): return try toTrafficControl(of: interface, Self.tcxEgress)
        case .netns(let path):
            let namespace = AnyDescriptor(owning: try systemCall { open(path, O_RDONLY | O_CLOEXEC) })
            return .link(try libbpfPointer { bpf_program__attach_netns(program, namespace.number) })
        // The kernel knows since the program was loaded.
        case .replace: return .link(try libbpfPointer { bpf_program__attach_trace(program) })
        case .perfEvent: throw CallFailure(errno: .notSupported, log: [])
        }
    }

    private static func index(of interface: String) throws(CallFailure) -> CInt {
        let index = if_nametoindex(interface)
        let error = Errno(rawValue: errno)
        guard index != 0 else { throw CallFailure(errno: error, log: []) }
        return CInt(index)
    }

    /// BPF_TCX_INGRESS and BPF_TCX_EGRESS of include/uapi/linux/bpf.h, which libbpf 1.1 does not name but passes on.
    private static let tcxIngress: UInt32 = 46
    private static let tcxEgress: UInt32 = 47

    private func toTrafficControl(of interface: String, _ place: UInt32) throws(CallFailure) -> Attachment.Handle {
        let index = try Self.index(of: interface)
        do throws(CallFailure) {
            return .descriptor(
                try libbpfCall { bpf_link_create(bpf_program__fd(program), index, bpf_attach_type(place), nil) })
        } catch {
            guard error.errno == .invalidArgument else { throw error }
            throw CallFailure(errno: error.errno, log: ["links of programs to traffic control take Linux 6.6 or newer"])
        }
    }

    /// Attaches to an event of every CPU that is there.
    private func toEveryCPU(_ event: AttachTarget.PerfEvent) throws(CallFailure) -> [Attachment] {
        var attachments: [Attachment] = []
        for cpu in 0..<(try libbpfCall { libbpf_num_possible_cpus() }) {
            let counter: CInt
            do throws(CallFailure) {
                counter = try systemCall { clibbpf_software_event(event.event, event.frequency, cpu) }
            } catch {
                // A CPU that could be there and is not.
                if [ENXIO, ENODEV].contains(error.errno.rawValue) { continue }
                throw error
            }
            do throws(CallFailure) {
                let link = try libbpfPointer { bpf_program__attach_perf_event(program, counter) }
                attachments.append(Attachment(owning: .link(link), place: "perf_event=\(event) of CPU \(cpu)"))
            } catch {
                close(counter)
                throw error
            }
        }
        return attachments
    }
}
