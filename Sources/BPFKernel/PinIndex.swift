// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Glibc

/// What is pinned, found by looking through every BPF file system that this process sees.
///
/// The kernel does not tell where an object is pinned; a pin only tells what it holds. Pins in other mount namespaces, and those
/// that this process may not open, are not found.
public struct PinIndex: Sendable {
    /// What a pin holds.
    public enum Object: Hashable, Sendable {
        case program(UInt32)
        case map(UInt32)
        /// An attachment (`bpf_link`) and the program that it attaches; 0 if the kernel does not say.
        case link(UInt32, program: UInt32)
    }

    private var paths: [Object: [String]] = [:]
    /// By program.
    private var links: [UInt32: [String]] = [:]
    /// By the attachment's own id.
    private var linkPins: [UInt32: [String]] = [:]

    /// Looks through the BPF file systems. Pins that come or go meanwhile may be among it or not.
    public static func read() -> PinIndex {
        var index = PinIndex()
        for directory in mounts() { index.add(directory) }
        return index
    }

    /// Where a program is pinned.
    public func pins(ofProgram id: UInt32) -> [String] { paths[.program(id)] ?? [] }

    /// Where a map is pinned.
    public func pins(ofMap id: UInt32) -> [String] { paths[.map(id)] ?? [] }

    /// Where an attachment is pinned.
    public func pins(ofLink id: UInt32) -> [String] { linkPins[id] ?? [] }

    /// Where attachments of a program are pinned.
    public func links(ofProgram id: UInt32) -> [String] { links[id] ?? [] }

    private mutating func add(_ directory: String) {
        for path in (try? PinPath.paths(in: directory)) ?? [] {
            if PinPath.isDirectory(path) {
                add(path)
            } else if let object = Self.object(pinnedAt: path) {
                paths[object, default: []].append(path)
                if case .link(let id, let program) = object {
                    links[program, default: []].append(path)
                    linkPins[id, default: []].append(path)
                }
            }
        }
    }

    /// What is pinned at a path; nil if nothing is that this process may open.
    static func object(pinnedAt path: String) -> Object? {
        guard let number = try? libbpfCall({ bpf_obj_get(path) }) else { return nil }
        let descriptor = AnyDescriptor(owning: number)
        return try? object(descriptor.number)
    }

    private static func object(_ number: CInt) throws -> Object? {
        switch try OpenProgram.kind(of: number) {
        case OpenProgram.programKind: return .program(try ProgramInfo(descriptor: number).id)
        case "anon_inode:bpf-map":
            var info = bpf_map_info()
            var size = UInt32(MemoryLayout<bpf_map_info>.size)
            try libbpfCall { bpf_obj_get_info_by_fd(number, &info, &size) }
            return .map(info.id)
        case let kind where isLink(kind):
            var info = bpf_link_info()
            var size = UInt32(MemoryLayout<bpf_link_info>.size)
            try libbpfCall { bpf_obj_get_info_by_fd(number, &info, &size) }
            return .link(info.id, program: info.prog_id)
        default: return nil
        }
    }

    /// `bpf_link_new_fd()` and `bpf_link_prime()` in kernel/bpf/syscall.c write it differently.
    static func isLink(_ kind: String) -> Bool { kind == "anon_inode:bpf-link" || kind == "anon_inode:bpf_link" }

    /// The mount points of BPF file systems (proc(5), /proc/PID/mounts), sorted; none lies in another.
    private static func mounts() -> [String] {
        guard let table = setmntent("/proc/self/mounts", "r") else { return [] }
        defer { endmntent(table) }
        var points: Set<String> = []
        while let entry = getmntent(table) {
            if String(cString: entry.pointee.mnt_type) == "bpf" { points.insert(String(cString: entry.pointee.mnt_dir)) }
        }
        return points.sorted()
    }
}
