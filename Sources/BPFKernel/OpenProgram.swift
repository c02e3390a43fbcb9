// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Glibc
import SystemPackage

/// How the user names a loaded program; the words are bpftool's.
public enum ProgramSelector: Hashable, Sendable, CustomStringConvertible {
    /// A file descriptor that this process inherited.
    case descriptor(CInt)
    case id(UInt32)
    /// A path in a BPF file system.
    case pinned(String)
    /// The program's name; the kernel keeps 15 bytes of it.
    case name(String)
    /// The program's tag, in hexadecimal.
    case tag(String)

    /// Reads `7`, `id=42`, `pinned=/sys/fs/bpf/lib`, `name=lib` or `tag=6deef7357e7b4530`.
    ///
    /// - Returns: nil if the text is none of these.
    public init?(_ text: String) {
        if let number = CInt(text), number >= 0 {
            self = .descriptor(number)
            return
        }
        guard let separator = text.firstIndex(of: "=") else { return nil }
        let value = String(text[text.index(after: separator)...])
        guard !value.isEmpty else { return nil }
        switch text[..<separator] {
        case "id":
            guard let id = UInt32(value) else { return nil }
            self = .id(id)
        case "pinned": self = .pinned(value)
        case "name": self = .name(value)
        case "tag":
            guard value.count == 16, value.allSatisfy(\.isHexDigit) else { return nil }
            self = .tag(value.lowercased())
        default: return nil
        }
    }

    /// As the user writes it.
    public var description: String {
        switch self {
        case .descriptor(let number): "\(number)"
        case .id(let id): "id=\(id)"
        case .pinned(let path): "pinned=\(path)"
        case .name(let name): "name=\(name)"
        case .tag(let tag): "tag=\(tag)"
        }
    }

    /// As messages name it: a bare number would not say what it is.
    public var words: String {
        if case .descriptor(let number) = self { return "FD \(number)" }
        return "`\(self)`"
    }

    /// What the kernel will ask for when the program is looked up.
    public var actions: [PrivilegedAction] {
        switch self {
        case .descriptor, .pinned: []
        case .id, .name, .tag: [.lookUp]
        }
    }
}

/// A loaded program that is held open: it cannot go away while this value lives.
public final class OpenProgram: Sendable {
    public let descriptor: ProgramDescriptor
    /// What the kernel told about it when it was opened.
    public let info: ProgramInfo

    init(_ descriptor: consuming ProgramDescriptor) throws(CallFailure) {
        self.info = try ProgramInfo(of: descriptor)
        self.descriptor = descriptor
    }

    /// Opens the program that a selector names.
    ///
    /// - Throws: ``KernelError``: `not-found`, `ambiguous` (naming all candidates), `not-a-program`, or `system`.
    public static func open(_ selector: ProgramSelector) throws(KernelError) -> OpenProgram {
        switch selector {
        case .descriptor(let number): try open(descriptor: number)
        case .id(let id): try open(id: id)
        case .pinned(let path): try open(pin: path)
        case .name(let name): try onlyMatch(for: selector) { $0.name == kernelName(name) }
        case .tag(let tag): try onlyMatch(for: selector) { $0.tag == tag }
        }
    }

    /// All programs that are loaded now, in the order of their ids.
    ///
    /// - Throws: ``KernelError`` if the kernel does not let this process enumerate programs.
    public static func all() throws(KernelError) -> [OpenProgram] {
        var programs: [OpenProgram] = []
        var id: UInt32 = 0
        while true {
            do throws(CallFailure) {
                try libbpfCall { bpf_prog_get_next_id(id, &id) }
                programs.append(try OpenProgram(Descriptor(owning: try libbpfCall { bpf_prog_get_fd_by_id(id) })))
            } catch {
                // The end of the list, or a program that was unloaded between the two calls.
                guard error.errno == .noSuchFileOrDirectory else {
                    throw KernelError(.system, "programs cannot be enumerated", error)
                }
                if !(try exists(after: id)) { return programs }
            }
        }
    }

    private static func exists(after id: UInt32) throws(KernelError) -> Bool {
        var next: UInt32 = 0
        do throws(CallFailure) {
            try libbpfCall { bpf_prog_get_next_id(id, &next) }
            return true
        } catch {
            if error.errno == .noSuchFileOrDirectory { return false }
            throw KernelError(.system, "programs cannot be enumerated", error)
        }
    }

    private static func open(descriptor number: CInt) throws(KernelError) -> OpenProgram {
        let own: ProgramDescriptor
        do throws(CallFailure) {
            own = Descriptor(owning: try systemCall { fcntl(number, F_DUPFD_CLOEXEC, 0) })
        } catch {
            throw KernelError(
                .notFound, "FD \(number) is not open", error,
                help: ["a bare number is a file descriptor that bpflink inherits; `bpflink load … --exec -- COMMAND` passes one on"])
        }
        return try open(own, called: "FD \(number)")
    }

    private static func open(id: UInt32) throws(KernelError) -> OpenProgram {
        do throws(CallFailure) {
            return try OpenProgram(Descriptor(owning: try libbpfCall { bpf_prog_get_fd_by_id(id) }))
        } catch {
            if error.errno == .noSuchFileOrDirectory {
                throw KernelError(.notFound, "no program has the id \(id)", errno: error.errno, help: [Self.listHelp])
            }
            throw KernelError(.system, "the program with the id \(id) cannot be opened", error)
        }
    }

    /// Opens a pinned program.
    static func open(pin path: String) throws(KernelError) -> OpenProgram {
        let own: ProgramDescriptor
        do throws(CallFailure) {
            own = Descriptor(owning: try libbpfCall { bpf_obj_get(path) })
        } catch {
            switch error.errno {
            case .noSuchFileOrDirectory: throw KernelError(.notFound, "nothing is pinned at \(path)", errno: error.errno)
            // `bpf_obj_do_get()` in kernel/bpf/inode.c: any inode that is not a BPF object's.
            case .permissionDenied:
                throw KernelError(
                    .notAProgram, "\(path) is not a pinned BPF object, or may not be read and written by this user",
                    errno: error.errno)
            default: throw KernelError(.notFound, "\(path) cannot be opened", error)
            }
        }
        return try open(own, called: path)
    }

    /// Takes a descriptor of any kind if it is a program's.
    private static func open(_ descriptor: consuming ProgramDescriptor, called name: String) throws(KernelError) -> OpenProgram {
        let kind = try kind(of: descriptor.number)
        guard kind == programKind else {
            throw KernelError(.notAProgram, "\(name) is not a BPF program", notes: ["it is \(kind)"])
        }
        do throws(CallFailure) {
            return try OpenProgram(descriptor)
        } catch {
            throw KernelError(.system, "the kernel tells nothing about \(name)", error)
        }
    }

    /// What a descriptor refers to, in the kernel's words; BPF_OBJ_GET_INFO_BY_FD itself answers for maps, links and BTF, too.
    static func kind(of number: CInt) throws(KernelError) -> String {
        let path = "/proc/self/fd/\(number)"
        let words = withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer -> String? in
            let length = readlink(path, buffer.baseAddress!, buffer.count)
            return length < 0 ? nil : String(decoding: UnsafeRawBufferPointer(buffer).prefix(length), as: UTF8.self)
        }
        guard let words else {
            throw KernelError(.system, "what FD \(number) is cannot be told without /proc", errno: Errno(rawValue: errno))
        }
        return words
    }

    /// `bpf_prog_new_fd()` in kernel/bpf/syscall.c.
    static let programKind = "anon_inode:bpf-prog"

    private static func onlyMatch(
        for selector: ProgramSelector, _ matches: (ProgramInfo) -> Bool
    ) throws(KernelError) -> OpenProgram {
        let found = try all().filter { matches($0.info) }
        guard let first = found.first else {
            throw KernelError(.notFound, "no loaded program matches \(selector.words)", help: [listHelp])
        }
        guard found.count == 1 else {
            throw KernelError(
                .ambiguous, "\(selector.words) matches \(found.count) programs",
                notes: found.map { "candidate: id=\($0.info.id) (\($0.info.type) \($0.info.name), tag \($0.info.tag))" },
                help: ["name one of them by `id=`"])
        }
        return first
    }

    /// A program name as the kernel keeps it (BPF_OBJ_NAME_LEN - 1 bytes).
    static func kernelName(_ name: String) -> String {
        String(decoding: name.utf8.prefix(15), as: UTF8.self)
    }

    private static let listHelp = "`bpflink list --all` shows all loaded programs"
}
