// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import VMProtocol

/// The virtio-serial port to the runner. The agent is its only user and writes it from one place, in whole
/// lines and blocking: several writers of one port lose and delay each other's output.
struct ControlPort: ~Copyable {
    let descriptor: Int32
    private var lines = LineBuffer()
    private var sequence = 0

    /// Finds the port by its name; there is no udev to name it in /dev.
    /// - Parameter patience: how long to wait for the driver, in milliseconds.
    init(patience: Int) throws(SystemCallError) {
        let deadline = uptimeMilliseconds() + patience
        var path: String?
        repeat {
            path = entries(of: "/sys/class/virtio-ports").first {
                readText("/sys/class/virtio-ports/\($0)/name") == VMProtocol.portName
            }
            if path == nil { usleep(5000) }
        } while path == nil && uptimeMilliseconds() < deadline
        guard let path else { throw SystemCallError(action: "find the port \(VMProtocol.portName)", number: ENODEV) }
        descriptor = try check("open /dev/\(path)") { open("/dev/\(path)", O_RDWR | O_CLOEXEC) }
    }

    deinit { close(descriptor) }

    mutating func send(_ message: GuestMessage) throws(SystemCallError) {
        var line: [UInt8] = []
        message.json(sequence: sequence).write(to: &line)
        line.append(UInt8(ascii: "\n"))
        sequence += 1
        var written = 0
        while written < line.count {
            written += Int(
                try check("write to the runner") {
                    line.withUnsafeBytes { Int32(write(descriptor, $0.baseAddress! + written, $0.count - written)) }
                })
        }
    }

    /// The messages that have arrived; nil when the runner has closed its end.
    mutating func receive() throws -> [HostMessage]? {
        guard let bytes = try readAvailable(descriptor) else { return [] }
        if bytes.isEmpty { return nil }
        return try lines.append(bytes).map { try HostMessage(line: $0) }
    }
}
