// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Testing
import VMProtocol

@testable import VMRunner

/// The kernels for the tests that boot machines.
enum TestKernel {
    static let plain = Environment["BPFLINK_TEST_KERNEL"]
    static let debug = Environment["BPFLINK_TEST_DEBUG_KERNEL"]
    static let hint: Comment = "set BPFLINK_TEST_KERNEL to the path of a kernel built by bpflink-vm"
    static let debugHint: Comment = "set BPFLINK_TEST_DEBUG_KERNEL to the path of a kernel built with --config debug"
}

/// Boots machines that see the host's files, one per script.
struct TestMachine {
    static let cache = try! Cache()

    let kernel: String?
    let rules = try! SplatRulesTests.shipped()

    func configuration(initramfs: Initramfs? = nil, sharesHostFiles: Bool = true) throws -> MachineConfiguration {
        let kernel = try Files.resolve(try #require(kernel))
        let archive = try initramfs ?? Initramfs.make(agent: try Installation.agent(nil), cache: Self.cache)
        let needs = KernelNeeds(image: kernel)
        return MachineConfiguration(
            kernel: kernel, initramfs: archive.path, accelerator: .tcg, memoryMiB: max(512, needs.leastMemoryMiB),
            sharesHostFiles: sharesHostFiles, needs: needs)
    }

    /// What a shell command came to.
    struct Outcome {
        var end: JobEnd?
        var failure: Failure?
        var output = ""
        var errors = ""
    }

    /// Boots a machine, has a shell run a script, and ends the machine.
    func run(
        _ script: String, input: [HostMessage] = [], timeout: Duration = .seconds(60), directory path: String = "/",
        environment: [String] = [], searchesForLeaks: Bool = false, onOutput: @escaping (Session) -> Void = { _ in }
    ) throws -> Outcome {
        let files = try Files.makeTemporaryDirectory()
        defer { Files.remove(files) }
        let configuration = try configuration()
        let session = try Session.boot(configuration, directory: files, rules: rules, note: { _ in })
        var outcome = Outcome()
        var waitingInput = input
        let job = Job(
            id: "test", arguments: ["/bin/sh", "-c", script],
            environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] + environment, directory: path, files: .host,
            input: input.isEmpty ? .none : .stream, searchesForLeaks: searchesForLeaks)
        session.run(
            job, timeout: timeout * configuration.needs.slowness,
            streams: .init(output: { stream, bytes in
                let text = String(decoding: bytes, as: UTF8.self)
                if stream == .output { outcome.output += text } else { outcome.errors += text }
                // Not before the command is there to take it.
                for message in waitingInput { session.machine.send(message) }
                waitingInput = []
                onOutput(session)
            }))
        session.shutDown()
        outcome.failure = session.conclude()
        outcome.end = session.evidence.end
        return outcome
    }

    /// Has the kernel commit one of its faults on demand.
    func provoke(_ fault: String, timeout: Duration = .seconds(60)) throws -> Outcome {
        try run("echo \(fault) > /sys/kernel/debug/provoke-crash/DIRECT", timeout: timeout)
    }
}
