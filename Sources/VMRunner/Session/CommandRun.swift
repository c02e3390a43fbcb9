// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import SystemPackage
import VMProtocol

/// What `run` and `shell` do: one command in a machine of its own that sees the host's files.
public struct CommandRun: Sendable {
    /// The kernel's file.
    public var kernel: String
    public var accelerator: Accelerator
    public var cpus = 1
    public var memoryMiB = 1024
    /// From the command's start; nil for no limit.
    public var timeout: Duration?
    public var waitsForDebugger = false
    /// Gives the command this process's terminal.
    public var usesTerminal = false
    public var command: [String]
    /// `NAME=VALUE` strings on top of those that are always passed on.
    public var environment: [String] = []
    /// What the kernel needs more of than a plain one.
    public var needs = KernelNeeds()
    /// Has the kernel look for memory that the command leaked; takes a kernel with kmemleak.
    public var searchesForLeaks = false
    /// Keeps the machine's files in this directory.
    public var keptDirectory: String?

    public init(kernel: String, accelerator: Accelerator, command: [String]) {
        self.kernel = kernel
        self.accelerator = accelerator
        self.command = command
    }

    /// The variables of this process that the command gets; others describe the host more than the machine.
    static let inheritedVariables = ["PATH", "HOME", "TERM", "LANG", "USER", "LOGNAME", "SHELL"]

    /// Runs the command with this process's standard streams.
    /// - Parameters:
    ///   - agent: the guest agent's file.
    ///   - note: takes words for the user.
    /// - Returns: the command's exit code, or that of the failure.
    /// - Throws: `RunnerError`
    public func run(agent: String?, installation: Installation, cache: Cache, note: (String) -> Void) throws -> Int32 {
        let rules = try SplatRules(deny: installation.splatDenyList, allow: installation.splatAllowList)
        let initramfs = try Initramfs.make(agent: try Installation.agent(agent), cache: cache)
        let directory = try keptDirectory ?? Files.makeTemporaryDirectory()
        try Files.makeDirectory(directory)
        var configuration = MachineConfiguration(
            kernel: try Files.resolve(kernel), initramfs: initramfs.path, accelerator: accelerator, cpus: cpus,
            memoryMiB: max(memoryMiB, needs.leastMemoryMiB), sharesHostFiles: true, needs: needs)
        if waitsForDebugger {
            configuration.debuggerSocket = "\(directory)/gdb.sock"
            let symbols = Files.exists("\(kernel).debug") ? "\(kernel).debug" : kernel
            note("waiting for the debugger: gdb \(symbols) -ex 'target remote \(directory)/gdb.sock' -ex continue")
        }
        let outcome = try follow(configuration, directory: directory, rules: rules, note: note)
        if keptDirectory == nil && outcome.failure == nil { Files.remove(directory) }
        if let failure = outcome.failure {
            note(failure.description)
            note("console: \(directory)/console.log")
        }
        return outcome.code
    }

    private func follow(
        _ configuration: MachineConfiguration, directory: String, rules: SplatRules, note: (String) -> Void
    ) throws -> (code: Int32, failure: Failure?) {
        let session: Session
        do {
            session = try Session.boot(configuration, directory: directory, rules: rules, note: note)
        } catch let failure as Failure {
            return (failure.kind.exitCode, failure)
        }
        // Up to here a signal ends this process, and QEMU with it.
        let signals = SignalWatch([SIGINT, SIGTERM, SIGHUP, SIGWINCH])
        let terminal = usesTerminal ? RawTerminal() : nil
        let input = StandardInput()
        var interruption: Int32?
        let watch = signals.descriptor
        var streams = Session.Streams(output: { stream, bytes in
            // A reader who has left (a closed pipe) is no failure of the command's.
            _ = try? (stream == .output ? FileDescriptor.standardOutput : .standardError).writeAll(bytes)
        })
        streams.descriptors = { input.descriptors + [watch] }
        streams.inputTaken = { input.taken($0) }
        streams.isCancelled = { interruption != nil }
        streams.readable = { descriptor in
            if descriptor == STDIN_FILENO { return [input.read()] }
            var messages: [HostMessage] = []
            while let signal = SignalWatch.next(watch) {
                if signal == SIGWINCH {
                    let size = RawTerminal.size
                    messages.append(.resize(rows: size.rows, columns: size.columns))
                } else {
                    interruption = signal
                }
            }
            return messages
        }
        session.run(try job(), timeout: timeout, streams: streams)
        if let interruption {
            session.machine.kill()
            return (128 + interruption, nil)
        }
        session.shutDown()
        _ = consume terminal
        if let failure = session.conclude() { return (failure.kind.exitCode, failure) }
        guard let end = session.evidence.end else { preconditionFailure("no failure and no end record") }
        if case .notStarted(_, let reason) = end.status { note(reason) }
        return (Int32(end.exitCode), nil)
    }

    private func job() throws(RunnerError) -> Job {
        var variables = CommandRun.inheritedVariables.compactMap { name in
            Environment[name].map { "\(name)=\($0)" }
        }
        for variable in environment {
            let name = variable.prefix { $0 != "=" }
            variables.removeAll { $0.hasPrefix("\(name)=") }
            variables.append(variable)
        }
        let size = RawTerminal.size
        return Job(
            id: "run", arguments: command, environment: variables, directory: try Files.resolve("."), files: .host,
            input: usesTerminal ? .terminal(rows: size.rows, columns: size.columns) : .stream,
            searchesForLeaks: searchesForLeaks)
    }
}

/// This process's standard input on its way to the guest: never more of it than the guest has room for.
private final class StandardInput {
    private var onTheirWay = 0
    private var isOpen = true

    var descriptors: [Int32] { isOpen && onTheirWay < VMProtocol.inputWindow ? [STDIN_FILENO] : [] }

    func taken(_ count: Int) { onTheirWay -= count }

    func read() -> HostMessage {
        let bytes = [UInt8](unsafeUninitializedCapacity: VMProtocol.chunkBytes) { buffer, count in
            count = max(0, Glibc.read(STDIN_FILENO, buffer.baseAddress, buffer.count))
        }
        guard !bytes.isEmpty else {
            isOpen = false
            return .inputEnd
        }
        onTheirWay += bytes.count
        return .input(bytes)
    }
}
