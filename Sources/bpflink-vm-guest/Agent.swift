// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLinuxSystem
import Glibc
import VMProtocol

/// The first process of a machine: it sets the machine up, says hello, and runs the jobs that the runner sends,
/// one at a time, from one loop. It must not ask for its arguments before /proc is mounted: Swift reads them there.
@main
final class Agent {
    private var port: ControlPort
    private let log: KernelLog
    private let signals: Int32
    private var job: RunningJob?
    /// The files that the jobs see.
    private var files = Job.Files.own

    static func main() {
        // Run as a job of its own, it does nothing, successfully: a rehearsal for a machine that is to be saved.
        guard getpid() == 1 else { return }
        do {
            try Agent().serve()
        } catch {
            // Standard error is the console, which the runner shows when a machine is lost.
            let words = "bpflink-vm-guest: \(error)\n"
            write(STDERR_FILENO, words, words.utf8.count)
        }
        sync()
        reboot(Int32(bitPattern: UInt32(RB_AUTOBOOT)))
    }

    private init() throws {
        try FileSystems.mountKernel()
        Network.raiseLoopback()
        // A command that does not read its input is no reason to die.
        signal(SIGPIPE, SIG_IGN)
        var mask = sigset_t()
        sigemptyset(&mask)
        sigaddset(&mask, SIGCHLD)
        try check("sigprocmask") { sigprocmask(SIG_BLOCK, &mask, nil) }
        signals = try check("signalfd") { signalfd(-1, &mask, Int32(SFD_NONBLOCK | SFD_CLOEXEC)) }
        log = try KernelLog()
        port = try ControlPort(patience: 5000)
        let release = readText("/proc/sys/kernel/osrelease") ?? "unknown"
        try port.send(.hello(version: VMProtocol.version, kernel: release, bootMilliseconds: uptimeMilliseconds()))
    }

    /// Serves the runner until it says `quit` or goes away.
    private func serve() throws {
        while true {
            var descriptors = [
                pollfd(fd: port.descriptor, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
            ]
            if let job {
                descriptors.append(pollfd(fd: log.descriptor, events: Int16(POLLIN), revents: 0))
                descriptors += job.interests
            }
            try check("poll") { poll(&descriptors, nfds_t(descriptors.count), -1) }
            if job != nil {
                try forwardKernelLog()
                try moveStreams()
            }
            if descriptors[1].revents != 0 { try reap() }
            if descriptors[0].revents != 0 {
                guard let messages = try port.receive() else { return }
                for message in messages {
                    if message == .quit { return try port.send(.bye) }
                    try handle(message)
                }
            }
        }
    }

    private func handle(_ message: HostMessage) throws {
        switch message {
        case .job(let request): try start(request)
        case .input(let bytes): if let taken = job?.queueInput(bytes) { try port.send(.inputTaken(taken)) }
        case .inputEnd: job?.endInput()
        case .resize(let rows, let columns): job?.command.resize(rows: rows, columns: columns)
        case .explain: explain()
        case .quit: break
        }
    }

    private func start(_ request: Job) throws {
        log.write("start \(request.id)")
        log.skipToEnd()
        try port.send(.start(id: request.id))
        let taint = currentTaint()
        let started = uptimeMilliseconds()
        do {
            if files == .own {
                switch request.files {
                case .own: break
                case .host: try FileSystems.enterHostFiles()
                case .disk: try FileSystems.enterDisk()
                }
                files = request.files
            }
            if request.searchesForLeaks { try LeakSearch.check() }
            job = RunningJob(
                id: request.id, command: try Command(request), started: started, taint: taint,
                searchesForLeaks: request.searchesForLeaks)
        } catch {
            // As shells have it: 127 for a command that is not there, 126 for one that cannot be run.
            let code = error.number == ENOENT ? 127 : 126
            try port.send(
                .end(
                    JobEnd(
                        id: request.id, status: .notStarted(code: code, reason: error.description), milliseconds: 0,
                        taintBefore: taint, taintAfter: currentTaint())))
        }
    }

    /// Takes in every process that has ended; when it was the job's, drains its output and ends the job.
    private func reap() throws {
        _ = try readAvailable(signals, capacity: 4096)
        var status: Int32 = 0
        while true {
            let process = waitpid(-1, &status, WNOHANG)
            guard process > 0 else { return }
            guard let job, job.command.process == process else { continue }
            let milliseconds = uptimeMilliseconds() - job.started
            if job.searchesForLeaks { try LeakSearch.run() }
            try moveStreams()
            try forwardKernelLog()
            self.job = nil
            let signal = status & 0x7f
            try port.send(
                .end(
                    JobEnd(
                        id: job.id, status: signal == 0 ? .exited(Int(status >> 8 & 0xff)) : .signalled(Int(signal)),
                        milliseconds: milliseconds, taintBefore: job.taint, taintAfter: currentTaint())))
        }
    }

    /// Moves what can be moved now between the job's streams and the port.
    private func moveStreams() throws {
        guard let job else { return }
        if let taken = job.writeInput() { try port.send(.inputTaken(taken)) }
        for stream in [GuestMessage.Stream.output, .error] {
            while job.command.descriptor(of: stream) >= 0,
                let bytes = try job.command.read(stream)
            {
                try port.send(.output(stream, bytes))
            }
        }
    }

    private func forwardKernelLog() throws {
        while let record = try log.next() { try port.send(record) }
    }

    /// Has the kernel log blocked tasks and the CPUs' stacks, and logs where the job's process is in the kernel.
    private func explain() {
        if let job {
            for line in (readText("/proc/\(job.command.process)/stack") ?? "").split(separator: "\n") {
                log.write("job stack: \(line)")
            }
        }
        for request in ["w", "l"] {
            let trigger = open("/proc/sysrq-trigger", O_WRONLY | O_CLOEXEC)
            guard trigger >= 0 else { return }
            write(trigger, request, 1)
            close(trigger)
        }
    }

    private func currentTaint() -> Int { readText("/proc/sys/kernel/tainted").flatMap { Int($0) } ?? -1 }
}
