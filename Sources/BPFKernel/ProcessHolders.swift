// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc

/// A process that keeps a program loaded by a descriptor.
public struct ProcessHolder: Sendable, Hashable {
    public var process: Int32
    /// The name of its main thread (/proc/PID/comm).
    public var command: String
    /// Whether it is the program's own descriptor; otherwise it is one of an attachment.
    public var isOfProgram: Bool
}

/// Which processes hold programs and attachments, as far as /proc shows them to this one: `prog_id:` and `link_id:` in
/// /proc/PID/fdinfo/N (`bpf_prog_show_fdinfo()` and `bpf_link_show_fdinfo()` in kernel/bpf/syscall.c). Descriptors under way in a
/// socket are not seen.
public struct ProcessHolders: Sendable {
    /// By program.
    private var holders: [UInt32: Set<ProcessHolder>] = [:]
    /// By attachment.
    private var linkHolders: [UInt32: Set<ProcessHolder>] = [:]

    /// Looks through /proc; this process itself is left out.
    public static func read() -> ProcessHolders {
        var all = ProcessHolders()
        for name in (try? PinPath.entries(of: "/proc")) ?? [] {
            guard let process = Int32(name), process != getpid() else { continue }
            all.add(process)
        }
        return all
    }

    /// The processes that hold a program, in the order of their ids.
    public func holders(ofProgram id: UInt32) -> [ProcessHolder] {
        (holders[id] ?? []).sorted { ($0.process, $1.isOfProgram ? 1 : 0) < ($1.process, $0.isOfProgram ? 1 : 0) }
    }

    /// The processes that hold an attachment, in the order of their ids.
    public func holders(ofLink id: UInt32) -> [ProcessHolder] {
        (linkHolders[id] ?? []).sorted { $0.process < $1.process }
    }

    /// A process that ends meanwhile has nothing to be read any more.
    private mutating func add(_ process: Int32) {
        for descriptor in (try? PinPath.entries(of: "/proc/\(process)/fd")) ?? [] {
            guard let kind = Self.link("/proc/\(process)/fd/\(descriptor)"),
                kind == OpenProgram.programKind || PinIndex.isLink(kind),
                let text = try? ProcFile.text("/proc/\(process)/fdinfo/\(descriptor)")
            else { continue }
            let command = (try? ProcFile.text("/proc/\(process)/comm"))?.split(separator: "\n").first.map(String.init)
            let holder = ProcessHolder(
                process: process, command: command ?? "(ended)", isOfProgram: kind == OpenProgram.programKind)
            if let id = Self.number("prog_id", in: text) { holders[id, default: []].insert(holder) }
            if let id = Self.number("link_id", in: text) { linkHolders[id, default: []].insert(holder) }
        }
    }

    private static func number(_ name: String, in text: String) -> UInt32? {
        let mark = "\(name):\t"
        return text.split(separator: "\n").first { $0.hasPrefix(mark) }.flatMap { UInt32($0.dropFirst(mark.count)) }
    }

    private static func link(_ path: String) -> String? {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            let length = readlink(path, buffer.baseAddress!, buffer.count)
            return length < 0 ? nil : String(decoding: UnsafeRawBufferPointer(buffer).prefix(length), as: UTF8.self)
        }
    }
}

/// Small files of /proc.
enum ProcFile {
    /// The first 4 KiB of a file.
    static func text(_ path: String) throws(CallFailure) -> String {
        let file = AnyDescriptor(owning: try systemCall { open(path, O_RDONLY | O_CLOEXEC) })
        return try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer throws(CallFailure) -> String in
            let length = try systemCall { CInt(read(file.number, buffer.baseAddress, buffer.count)) }
            return String(decoding: UnsafeRawBufferPointer(buffer).prefix(Int(length)), as: UTF8.self)
        }
    }
}
