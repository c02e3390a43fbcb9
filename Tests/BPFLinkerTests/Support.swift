// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFLinker
import BPFObject
import CLibbpf
import Glibc
import TestFixtures

extension Object {
    /// A fixture, read.
    convenience init(fixture name: String) throws {
        try self.init(bytes: Fixture.bytes(name), name: "\(name).bpf.o")
    }
}

extension ProviderSnapshot {
    /// What a fixture would offer if it were loaded.
    init(fixture name: String, reference: String = "7", id: UInt32 = 17) throws {
        let object = try Object(fixture: name)
        self.init(
            reference: reference, id: id, name: name, tag: "0123456789abcdef", type: "socket_filter",
            exports: object.exports.map { ProviderExport(prototype: $0.prototype) })
    }
}

/// An object opened by libbpf, closed when it goes.
final class OpenObject {
    let handle: OpaquePointer

    /// Some objects are meant to be refused; libbpf's words about them would look like faults of the tests.
    private static let silence: Void = { libbpf_set_print(nil) }()

    init(_ bytes: [UInt8]) throws {
        Self.silence
        let opened = bytes.withUnsafeBytes { bpf_object__open_mem($0.baseAddress, $0.count, nil) }
        guard let opened else { throw Failure(description: "libbpf cannot open the object: errno \(errno)") }
        handle = opened
    }

    deinit { bpf_object__close(handle) }

    struct Failure: Error, CustomStringConvertible { let description: String }

    func program(_ name: String) throws -> OpaquePointer {
        guard let program = bpf_object__find_program_by_name(handle, name) else {
            throw Failure(description: "libbpf sees no program \(name)")
        }
        return program
    }

    /// The programs in the order in which libbpf loads them.
    func programNames() -> [String] {
        var names: [String] = []
        var program = bpf_object__next_program(handle, nil)
        while let next = program {
            names.append(String(cString: bpf_program__name(next)))
            program = bpf_object__next_program(handle, next)
        }
        return names
    }

    func load() throws {
        guard bpf_object__load(handle) == 0 else {
            throw Failure(description: "libbpf cannot load the object: errno \(errno)")
        }
    }

    /// Runs a loaded program on 64 bytes of packet.
    ///
    /// - Returns: what it returns.
    func run(_ name: String) throws -> UInt32 {
        var packet = [UInt8](repeating: 0, count: 64)
        var options = bpf_test_run_opts()
        options.sz = MemoryLayout<bpf_test_run_opts>.size
        let result = try packet.withUnsafeMutableBytes { packet in
            options.data_in = UnsafeRawPointer(packet.baseAddress)
            options.data_size_in = UInt32(packet.count)
            return bpf_prog_test_run_opts(bpf_program__fd(try program(name)), &options)
        }
        guard result == 0 else { throw Failure(description: "\(name) cannot be run: errno \(errno)") }
        return options.retval
    }

    func instructions(of program: OpaquePointer) -> [bpf_insn] {
        Array(UnsafeBufferPointer(start: bpf_program__insns(program), count: bpf_program__insn_cnt(program)))
    }
}
