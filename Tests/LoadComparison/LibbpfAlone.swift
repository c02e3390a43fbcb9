// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Glibc
import Synchronization

/// An object that libbpf loads alone, as `bpf_object__open_mem()` and `bpf_object__load()` do it.
///
/// libbpf's table of section handlers has no lock: nothing else may use it meanwhile.
public final class LibbpfAlone {
    /// libbpf, or the kernel, refuses the object.
    public struct Refusal: Error, Sendable {
        public let error: CInt
        /// What libbpf said, line by line.
        public let log: [String]
    }

    private let object: OpaquePointer

    /// - Parameters:
    ///   - name: what libbpf is to call the object; names of its maps begin with it.
    ///   - only: the program to load; nil for all that libbpf loads by itself.
    public init(_ bytes: [UInt8], name: String, only: String? = nil) throws(Refusal) {
        object = try Self.listening {
            name.withCString { name in
                var options = bpf_object_open_opts()
                withUnsafeMutableBytes(of: &options) { _ = $0.initializeMemory(as: UInt8.self, repeating: 0) }
                options.sz = MemoryLayout<bpf_object_open_opts>.size
                options.object_name = name
                return bpf_object__open_mem(bytes, bytes.count, &options)
            }
        }
        if let only {
            for program in programs {
                bpf_program__set_autoload(program, String(cString: bpf_program__name(program)) == only)
            }
        }
        let object = object
        _ = try Self.listening { bpf_object__load(object) == 0 ? object : nil }
    }

    deinit { bpf_object__close(object) }

    private var programs: [OpaquePointer] {
        var all: [OpaquePointer] = []
        while let next = bpf_object__next_program(object, all.last) { all.append(next) }
        return all
    }

    /// Attaches a program where its section says, and detaches it again.
    ///
    /// - Returns: 0, or the error number.
    public func attach(_ name: String) -> CInt {
        guard let program = programs.first(where: { String(cString: bpf_program__name($0)) == name }) else { return ENOENT }
        guard let link = bpf_program__attach(program) else { return errno }
        bpf_link__destroy(link)
        return 0
    }

    /// What the kernel has of the programs that are loaded, by name.
    public func programFacts() throws -> [String: ProgramFacts] {
        var facts: [String: ProgramFacts] = [:]
        for program in programs where bpf_program__fd(program) >= 0 {
            facts[String(cString: bpf_program__name(program))] = try ProgramFacts(program: bpf_program__fd(program))
        }
        return facts
    }

    /// What the kernel has of the maps, by libbpf's name.
    public func mapFacts() throws -> [String: MapFacts] {
        var facts: [String: MapFacts] = [:]
        var map: OpaquePointer?
        while let next = bpf_object__next_map(object, map) {
            map = next
            if bpf_map__fd(next) >= 0 { facts[String(cString: bpf_map__name(next))] = try MapFacts(map: bpf_map__fd(next)) }
        }
        return facts
    }

    // MARK: libbpf's words

    private static let words = Mutex("")

    private static func listening(_ call: () -> OpaquePointer?) throws(Refusal) -> OpaquePointer {
        words.withLock { $0 = "" }
        _ = libbpf_set_print { level, format, arguments in
            guard level != LIBBPF_DEBUG, let format, let arguments else { return 0 }
            var text = [CChar](repeating: 0, count: 4096)
            let length = clibbpf_format(&text, text.count, format, arguments)
            let line = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            LibbpfAlone.words.withLock { $0 += line }
            return length
        }
        defer { _ = libbpf_set_print(nil) }
        guard let result = call() else {
            let error = errno
            throw Refusal(error: error, log: words.withLock { $0 }.split(separator: "\n").map(String.init))
        }
        return result
    }
}
