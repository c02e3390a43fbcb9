// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CLibbpf
import Glibc

/// An Ethernet frame with nothing of interest in it.
let somePacket = [UInt8](repeating: 0, count: 12) + [0x08, 0x00] + [UInt8](repeating: 0x5a, count: 50)

/// Runs a program by BPF_PROG_TEST_RUN.
///
/// - Parameter packet: what networking programs see; nil for program types that take none.
/// - Returns: what the program returned.
@discardableResult
func testRun(_ program: CInt, packet: [UInt8]? = somePacket) throws -> UInt32 {
    try testRunOver(program, packet: packet).result
}

/// The same, with the packet as the program leaves it.
func testRunOver(_ program: CInt, packet: [UInt8]?) throws -> (result: UInt32, packet: [UInt8]) {
    var options = bpf_test_run_opts()
    options.sz = MemoryLayout<bpf_test_run_opts>.size
    // Room for programs that make it longer.
    var after = [UInt8](repeating: 0, count: packet.map { $0.count + 256 } ?? 0)
    let result = (packet ?? []).withUnsafeBytes { bytes in
        after.withUnsafeMutableBytes { after in
            if packet != nil {
                options.data_in = bytes.baseAddress
                options.data_size_in = UInt32(bytes.count)
                options.data_out = after.baseAddress
                options.data_size_out = UInt32(after.count)
            }
            return bpf_prog_test_run_opts(program, &options)
        }
    }
    try expect(result == 0, "the test run failed: \(String(cString: strerror(-result)))")
    return (options.retval, Array(after.prefix(Int(options.data_size_out))))
}

extension LoadedObject {
    /// What a test run of one of its programs returns; without a name, of the first.
    @discardableResult
    func run(_ name: String? = nil, packet: [UInt8]? = somePacket) throws -> UInt32 {
        try withExtendedLifetime(self) {
            try testRun(name.map { try program($0).descriptor } ?? programs[0].descriptor, packet: packet)
        }
    }
}

extension OwnedDescriptor {
    /// What a test run of the program returns.
    @discardableResult
    func run(packet: [UInt8]? = somePacket) throws -> UInt32 {
        try withExtendedLifetime(self) { try testRun(number, packet: packet) }
    }
}

/// Renames this task, which calls `__set_task_comm()`.
func renameTask() throws {
    let file = try OwnedDescriptor(open("/proc/self/comm", O_WRONLY), "/proc/self/comm")
    try expect(write(file.number, "renamed", 7) == 7, "the task cannot be renamed")
}

/// One datagram to a port of our own on the loopback interface, and its arrival.
func sendToLoopback() throws { _ = try sentOverLoopback() }

/// One datagram with an `x` to a port of our own on the loopback interface.
///
/// - Returns: the byte that arrived.
func sentOverLoopback() throws -> UInt8 {
    let socket = try OwnedDescriptor(socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0), "socket")
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let sent = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            bind(socket.number, address, length) == 0 && getsockname(socket.number, address, &length) == 0
                && sendto(socket.number, "x", 1, 0, address, length) == 1
        }
    }
    try expect(sent, "nothing could be sent to loopback: \(String(cString: strerror(errno)))")
    var byte: UInt8 = 0
    try expect(recv(socket.number, &byte, 1, 0) == 1, "nothing was received from loopback")
    return byte
}

/// Asks again and again until the answer is yes, for up to two seconds.
func poll(_ what: @autoclosure () -> String, until condition: () throws -> Bool) throws {
    try expect(try becomes(condition), "after two seconds still not: \(what())")
}

/// Whether the answer is yes within two seconds.
func becomes(_ condition: () throws -> Bool) throws -> Bool {
    var start = timespec()
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &start)
    repeat {
        if try condition() { return true }
        usleep(2_000)
        clock_gettime(CLOCK_MONOTONIC, &now)
    } while (now.tv_sec - start.tv_sec) * 1_000_000_000 + now.tv_nsec - start.tv_nsec < 2_000_000_000
    return false
}

/// A cgroup v2 hierarchy's root.
func cgroupRoot() throws -> String {
    let places = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
    return try require(places.first { access("\($0)/cgroup.controllers", R_OK) == 0 }, "no cgroup v2 is mounted")
}

/// Sets a sysctl, by its path below /proc/sys.
func setSysctl(_ name: String, _ value: String) throws {
    let file = try OwnedDescriptor(open("/proc/sys/\(name)", O_WRONLY), name)
    try expect(write(file.number, value, value.utf8.count) == value.utf8.count, "\(name) cannot be set to \(value)")
}

/// A whole file of /proc.
func readFile(_ path: String) throws -> String {
    let file = try OwnedDescriptor(open(path, O_RDONLY), path)
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(file.number, &buffer, buffer.count)
        try expect(count >= 0, "\(path) cannot be read")
        if count == 0 { return String(decoding: bytes, as: UTF8.self) }
        bytes += buffer[..<count]
    }
}
