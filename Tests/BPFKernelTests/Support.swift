// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject
import CLibbpf
import Glibc
import TestFixtures
import Testing

@testable import BPFKernel

/// Loading programs takes root on the running kernel.
let isRoot = geteuid() == 0

extension Fixture {
    /// Reads an object and links it to nothing.
    static func plan(_ name: String) throws -> LinkPlan {
        try link(try Object(bytes: bytes(name), name: name))
    }
}

/// A directory in the BPF file system that a test has for itself.
struct ScratchPins: ~Copyable {
    let path: String

    init(_ name: String) throws {
        path = "/sys/fs/bpf/bpflink_test_\(name)_\(getpid())"
        try PinPath.prepare([path], mounts: true)
        #expect(mkdir(path, 0o700) == 0)
    }

    deinit { Self.removeAll(path) }

    private static func removeAll(_ path: String) {
        for name in (try? PinPath.entries(of: path)) ?? [] {
            let entry = "\(path)/\(name)"
            if PinPath.isDirectory(entry) { removeAll(entry) } else { unlink(entry) }
        }
        rmdir(path)
    }
}

/// Whether no map has this name, within two seconds: the kernel frees maps some time after their last user has gone.
func noMap(named name: String) throws -> Bool { try comesTrue { !(try mapNames().contains(name)) } }

/// Whether no program has one of these names, within two seconds: those of links that others had go some time after the links.
func noProgram(named names: String...) throws -> Bool {
    try comesTrue { !(try OpenProgram.all().contains { names.contains($0.info.name) }) }
}

private func comesTrue(_ condition: () throws -> Bool) throws -> Bool {
    for _ in 0..<200 {
        if try condition() { return true }
        usleep(10_000)
    }
    return false
}

/// The names of the maps in the kernel.
private func mapNames() throws -> [String] {
    var names: [String] = []
    var id: UInt32 = 0
    while bpf_map_get_next_id(id, &id) == 0 {
        let number = bpf_map_get_fd_by_id(id)
        guard number >= 0 else { continue }
        defer { close(number) }
        var info = bpf_map_info()
        var size = UInt32(MemoryLayout<bpf_map_info>.size)
        try #require(bpf_obj_get_info_by_fd(number, &info, &size) == 0)
        names.append(withUnsafeBytes(of: info.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) })
    }
    return names
}

/// The value of an array map's element, which is a `long`.
func element(_ key: Int32, ofMap id: UInt32) throws -> Int {
    let number = bpf_map_get_fd_by_id(id)
    try #require(number >= 0)
    defer { close(number) }
    var key = key
    var value = 0
    try #require(bpf_map_lookup_elem(number, &key, &value) == 0)
    return value
}

/// What is thrown, if it is a ``KernelError``.
func kernelError(_ body: () throws -> Void) throws -> KernelError {
    try #require(#expect(throws: KernelError.self) { try body() })
}

/// One datagram to a port of ours on the loopback interface.
@Sendable func sendToLoopback() throws {
    let socket = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    try #require(socket >= 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let sent = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            bind(socket, address, length) == 0 && getsockname(socket, address, &length) == 0
                && sendto(socket, "x", 1, 0, address, length) == 1
        }
    }
    try #require(sent)
    var byte: UInt8 = 0
    #expect(recv(socket, &byte, 1, 0) == 1)
}

/// The tests of a suite have the running kernel to themselves, one after the other.
struct RunningKernelTrait: SuiteTrait, TestTrait, TestScoping {
    /// For each test anew.
    var isRecursive: Bool { true }

    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
        try await KernelLock.hold(function)
    }
}

extension Trait where Self == RunningKernelTrait {
    static var aloneOnTheKernel: Self { Self() }
}
