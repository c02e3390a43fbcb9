// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import VMProtocol

/// The kernel's log, /dev/kmsg: read for what the kernel says while a job runs, written to mark where a job begins.
struct KernelLog: ~Copyable {
    let descriptor: Int32

    init() throws(SystemCallError) {
        descriptor = try check("open /dev/kmsg") { open("/dev/kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC) }
        skipToEnd()
    }

    deinit { close(descriptor) }

    /// Continues after the newest record.
    func skipToEnd() { lseek(descriptor, 0, SEEK_END) }

    /// Logs `text` as information.
    func write(_ text: String) {
        // Without the line feed the record stays open, and unread, until the next one comes.
        let record = Array("<6>bpflink-vm: \(text)\n".utf8)
        _ = record.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }

    /// The next record; nil if there is none now. Records that were overwritten before they could be read are
    /// reported as one that says so.
    func next() throws(SystemCallError) -> GuestMessage? {
        do {
            guard let bytes = try readAvailable(descriptor, capacity: 8192), !bytes.isEmpty else { return nil }
            return KernelLog.parse(bytes)
        } catch {
            guard error.number == EPIPE else { throw error }
            return .kernel(level: 4, text: "(records of the kernel log were overwritten before they could be read)")
        }
    }

    /// "priority,sequence,microseconds,flags[,…];text\n KEY=value…": Documentation/ABI/testing/dev-kmsg.
    static func parse(_ record: [UInt8]) -> GuestMessage {
        let separator = record.firstIndex(of: UInt8(ascii: ";")) ?? record.startIndex
        let priority = Int(String(decoding: record[..<separator].prefix { $0 != UInt8(ascii: ",") }, as: UTF8.self)) ?? 4
        let line = record[separator...].dropFirst().prefix { $0 != UInt8(ascii: "\n") }
        return .kernel(level: priority & 7, text: String(decoding: line, as: UTF8.self))
    }
}
