// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc

/// A system call that failed: what was tried, on what, and the kernel's reason.
struct SystemCallError: Error, CustomStringConvertible {
    var action: String
    var number: Int32

    var description: String { "\(action): \(String(cString: strerror(number)))" }
}

/// Checks the −1-and-errno convention; errno is read before anything else can change it.
@discardableResult
func check(_ action: @autoclosure () -> String, _ call: () -> Int32) throws(SystemCallError) -> Int32 {
    while true {
        let result = call()
        if result != -1 { return result }
        let number = errno
        if number != EINTR { throw SystemCallError(action: action(), number: number) }
    }
}

/// Reads what is there, at most `capacity` bytes. Empty at the end of the file, nil if nothing can be read now.
func readAvailable(_ descriptor: Int32, capacity: Int = 64 << 10) throws(SystemCallError) -> [UInt8]? {
    var number: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
        repeat {
            count = read(descriptor, buffer.baseAddress, capacity)
            number = errno
        } while count == -1 && number == EINTR
        count = max(count, -1)
        if count == -1 {
            count = 0
        } else {
            number = 0
        }
    }
    switch number {
    case 0: return bytes
    case EAGAIN: return nil
    default: throw SystemCallError(action: "read", number: number)
    }
}

/// A small file's text (a file of /proc or /sys), without the line feed at its end; nil if it cannot be read.
func readText(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    guard let bytes = (try? readAvailable(descriptor, capacity: 4096)) ?? nil else { return nil }
    return String(decoding: bytes.last == UInt8(ascii: "\n") ? bytes.dropLast() : bytes[...], as: UTF8.self)
}

/// Names in a directory, without `.` and `..`; empty if it cannot be read.
func entries(of directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
}

/// Milliseconds since the machine was started.
func uptimeMilliseconds() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_BOOTTIME, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}
