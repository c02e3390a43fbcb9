// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import SystemPackage
import VMProtocol

/// A running QEMU: its process, its monitor, the agent's port and its console file. It is used from one thread,
/// which asks for one event after the other.
final class Machine {
    enum Event: Equatable {
        case message(GuestMessage, sequence: Int)
        /// What came through the agent's port is not its protocol.
        case damage(String)
        /// An event or an answer of QEMU's monitor.
        case monitor(JSON)
        /// QEMU has ended, after everything that it had to say.
        case exited(ChildProcess.End)
        /// One of the caller's descriptors can be read.
        case readable(Int32)
        case deadline
    }

    let configuration: MachineConfiguration
    /// Holds the console and QEMU's own words.
    let directory: String
    private var process: ChildProcess
    private var monitor: Channel
    private var control: Channel
    private var events: [Event] = []
    private var processEnded = false
    private var exitReported = false

    var consolePath: String { "\(directory)/console.log" }
    var qemuLogPath: String { "\(directory)/qemu.log" }

    /// Starts QEMU.
    /// - Parameters:
    ///   - directory: an existing directory for this machine's files.
    ///   - awaitsState: do not boot, a saved state will be given.
    init(_ configuration: MachineConfiguration, directory: String, awaitsState: Bool = false) throws(RunnerError) {
        self.configuration = configuration
        self.directory = directory
        guard findProgram("qemu-system-x86_64") != nil else {
            throw RunnerError("qemu-system-x86_64 is not installed", help: "apt-get install qemu-system-x86")
        }
        monitor = try Channel()
        control = try Channel()
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        let log = open("\(directory)/qemu.log", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        defer { for descriptor in [null, log] { close(descriptor) } }
        guard null >= 0, log >= 0 else { throw RunnerError("cannot write in \(directory): \(Errno(rawValue: errno))") }
        let arguments = configuration.arguments(console: "\(directory)/console.log", awaitsState: awaitsState)
        try Files.write(arguments.joined(separator: "\n").utf8, to: "\(directory)/qemu.argv")
        process = try ChildProcess(
            arguments, descriptors: [null, log, log, monitor.peer, control.peer],
            ownGroup: true)
        monitor.closePeer()
        control.closePeer()
        execute("qmp_capabilities")
    }

    /// Sends a command to QEMU's monitor; its answer comes as an event.
    func execute(_ command: String, _ arguments: JSON? = nil) {
        var members: [JSON.Member] = [.init("execute", .string(command))]
        if let arguments { members.append(.init("arguments", arguments)) }
        monitor.send(.object(members))
    }

    func send(_ message: HostMessage) { control.send(message.json) }

    func kill() { process.kill() }

    /// The next event; `.deadline` if there is none until then.
    /// - Parameter descriptors: descriptors of the caller to watch as well.
    func next(until deadline: ContinuousClock.Instant, watching descriptors: [Int32] = []) -> Event {
        while true {
            if !events.isEmpty { return events.removeFirst() }
            if processEnded && !monitor.isOpen && !control.isOpen {
                let end = process.wait()
                // Once only: after this there is nothing but the deadline.
                if !exitReported {
                    exitReported = true
                    return .exited(end)
                }
            }
            var waits = [
                pollfd(fd: processEnded ? -1 : process.descriptor, events: Int16(POLLIN), revents: 0),
                monitor.interest, control.interest,
            ]
            waits += descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            let count = poll(&waits, nfds_t(waits.count), milliseconds(until: deadline))
            if count == 0 { return .deadline }
            if count < 0 { continue }
            // Sockets first: what QEMU said before it ended comes before its end.
            if waits[1].revents != 0 { pumpMonitor() }
            if waits[2].revents != 0 { pumpControl() }
            if waits[0].revents != 0 {
                processEnded = true
                pumpMonitor()
                pumpControl()
            }
            for wait in waits.dropFirst(3) where wait.revents != 0 { events.append(.readable(wait.fd)) }
        }
    }

    private func pumpMonitor() {
        monitor.flush()
        guard let lines = try? monitor.receive() else { return }
        for line in lines {
            guard let json = try? JSON(parsing: line), json["QMP"] == nil else { continue }
            events.append(.monitor(json))
        }
    }

    private func pumpControl() {
        control.flush()
        do throws(ProtocolError) {
            for line in try control.receive() {
                let (sequence, message) = try GuestMessage.parse(line: line)
                events.append(.message(message, sequence: sequence))
            }
            if control.endsWithinLine { throw ProtocolError("a record that breaks off") }
        } catch {
            events.append(.damage(error.description))
        }
    }

    /// The console so far, as lines.
    /// - Parameter offset: bytes to leave out at the start.
    func console(from offset: Int = 0) -> [String] {
        // A console can be flooded; what matters is at its start, or in the part asked for.
        guard let bytes = try? Files.read(consolePath, limit: 64 << 20), offset <= bytes.count else { return [] }
        return bytes[offset...].split(separator: UInt8(ascii: "\n")).map {
            String(decoding: $0.last == UInt8(ascii: "\r") ? $0.dropLast() : $0, as: UTF8.self)
        }
    }

    /// Bytes that the console has written.
    var consoleSize: Int { Files.status(consolePath).map { Int($0.st_size) } ?? 0 }
}

/// What poll(2) wants: at least 0, rounded up, −1 never.
func milliseconds(until deadline: ContinuousClock.Instant) -> Int32 {
    let left = ContinuousClock.now.duration(to: deadline).components
    let milliseconds = left.seconds.multipliedReportingOverflow(by: 1000)
    if milliseconds.overflow { return Int32.max }
    return Int32(clamping: max(0, milliseconds.partialValue + left.attoseconds / 1_000_000_000_000_000 + 1))
}
