// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Glibc
import Synchronization
public import SystemPackage

/// Why one C call failed: the error number and what libbpf said while it ran.
public struct CallFailure: Error, Sendable, Equatable {
    /// The error; libbpf's own codes (4000 and up) are kept as they are.
    public var errno: Errno
    /// libbpf's messages during the call, one per line, without trailing newline.
    public var log: [String]

    /// The error in words.
    public var reason: String {
        // ENOTSUPP of include/linux/errno.h, which the kernel keeps for itself and lets out all the same.
        if errno.rawValue == 524 { return "Operation not supported (ENOTSUPP)" }
        guard errno.rawValue >= 4000 else { return errno.description }
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 128) { buffer in
            _ = libbpf_strerror(errno.rawValue, buffer.baseAddress, buffer.count)
            return String(cString: buffer.baseAddress!)
        }
    }
}

// One helper per error convention. errno is read on the line after the call: nothing may come between.

/// For system calls and libcap: −1 and errno.
func systemCall(_ call: () -> CInt) throws(CallFailure) -> CInt {
    while true {
        let result = call()
        let error = Glibc.errno
        if result != -1 { return result }
        if error != EINTR { throw CallFailure(errno: Errno(rawValue: error), log: []) }
    }
}

/// For libbpf functions that return an int: a negative error number.
@discardableResult
func libbpfCall(_ call: () -> CInt) throws(CallFailure) -> CInt {
    var result: CInt = 0
    let log = LibbpfLog.capture { result = call() }
    guard result >= 0 else { throw CallFailure(errno: Errno(rawValue: -result), log: log) }
    return result
}

/// For libbpf functions that return a pointer: NULL and errno.
func libbpfPointer(_ call: () -> OpaquePointer?) throws(CallFailure) -> OpaquePointer {
    var result: OpaquePointer?
    var error: CInt = 0
    let log = LibbpfLog.capture {
        result = call()
        error = Glibc.errno
    }
    guard let result else { throw CallFailure(errno: Errno(rawValue: error), log: log) }
    return result
}

/// Zeroes an options structure for libbpf, padding included, before its members are set: libbpf refuses options with anything
/// behind the last member it knows (`libbpf_validate_opts()`), and Swift leaves padding as it finds it.
func clearOptions<Options>(_ options: inout Options) {
    withUnsafeMutableBytes(of: &options) { _ = $0.initializeMemory(as: UInt8.self, repeating: 0) }
}

/// Catches what libbpf would print on stderr, separately for each call: `libbpf_set_print` knows only one function per process.
enum LibbpfLog {
    final class Sink: Sendable {
        let text = Mutex("")
    }

    @TaskLocal private static var sink: Sink?

    /// Whether libbpf's debugging messages are kept too; set once by `--debug`.
    static let keepsDebugMessages = Mutex(false)

    private static func listen() {
        _ = libbpf_set_print { level, format, arguments in
            guard let sink = LibbpfLog.sink, let format, let arguments else { return 0 }
            if level == LIBBPF_DEBUG, !LibbpfLog.keepsDebugMessages.withLock({ $0 }) { return 0 }
            let length = clibbpf_format(nil, 0, format, arguments)
            guard length >= 0 else { return length }
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(length) + 1) { message in
                _ = clibbpf_format(message.baseAddress, message.count, format, arguments)
                sink.text.withLock { $0 += String(cString: message.baseAddress!) }
            }
            return length
        }
    }

    /// Runs `body` and returns the lines that libbpf printed meanwhile; what a nested capture took is added to it.
    static func capture(_ body: () -> Void) -> [String] {
        listen()
        let outer = sink
        let inner = Sink()
        $sink.withValue(inner) { body() }
        let text = inner.text.withLock { $0 }
        outer?.text.withLock { $0 += text }
        return text.split(separator: "\n").map(String.init)
    }
}

/// The C libraries underneath.
public enum Libraries {
    /// libbpf's version, as it states it: `v1.1`.
    public static var libbpfVersion: String { String(cString: libbpf_version_string()) }
}
