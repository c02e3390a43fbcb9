// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import ArgumentParser
import Glibc
import VMRunner

struct Test: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the cases of a suite, each in a pristine machine.",
        discussion: """
            A suite is an executable: `--list` prints its cases, one per line, with attributes after tabs (`cpus=2`: \
            it wants two; `patience=5`: it may take five times as long as others); `--run NAME` runs one and ends with 0 (passed), 4 (cannot be run here; the last line says why) or \
            anything else (failed). It is put into the machine with its libraries and the given files; the host's \
            files are not there. A machine is booted once and restored from a snapshot for every case.
            A case passes only if its end was recorded, the kernel's taint is as before, no line of its kernel log is \
            on the deny list, and the machine ended well. With --leaks, all cases run once more, in one machine, which is then \
            searched.
            Exit code: 0 if cases were run and none failed, 1 if one failed or there was none, 240 to 244 if the \
            machine did not get as far as the cases, 245 if the runner could not do its work.
            """)

    @OptionGroup var machine: MachineOptions

    @Option(help: "The suite's executable.")
    var suite: String

    @Option(help: "A file or directory for the machine; beside the suite unless GUEST is absolute (HOST[:GUEST]).")
    var file: [String] = []

    @Option(help: "Set NAME=VALUE for the suite.")
    var env: [String] = []

    @Flag(help: "Boot a machine for every case.")
    var cold = false

    @Flag(help: "List the cases that the filters choose.")
    var list = false

    @Option(help: "Seconds that a case may take.")
    var timeout: Double?

    @Option(help: "Machines at a time (default: one per core).")
    var jobs: Int?

    @Option(help: "Write JUnit XML to this file.")
    var junit: String?

    @Flag(help: "Print TAP.")
    var tap = false

    @Flag(help: "Print JSON.")
    var json = false

    @Argument(help: "Case names, patterns or parts of names.")
    var filters: [String] = []

    func validate() throws {
        guard !(tap && json) else { throw ValidationError("Choose one of --tap and --json") }
        guard jobs ?? 1 > 0 else { throw ValidationError("--jobs takes a positive number") }
    }

    func run() throws {
        try finish {
            do {
                return try test()
            } catch let failure as Failure {
                note("\(failure)")
                return failure.kind.exitCode
            }
        }
    }

    private func test() throws -> Int32 {
        let place = try machine.place()
        note("kernel \(place.kernel), executed by \(place.accelerator.rawValue)")
        var run = SuiteRun(kernel: place.kernel, accelerator: place.accelerator, suite: suite)
        run.files = file
        run.environment = env
        run.cold = cold
        run.timeout = timeout.map { .seconds($0) }
        run.jobs = jobs
        run.needs = place.needs
        if let memory = machine.memory { run.memoryMiB = memory }
        let prepared = try run.prepare(
            agent: machine.agent, installation: place.installation, cache: place.cache, note: { note($0) })
        let cases = SuiteCase.select(try prepared.cases(), filters)
        if list {
            for item in cases { say(item.name) }
            return cases.isEmpty ? 1 : 0
        }
        guard !cases.isEmpty else {
            note("error: no case of \(suite) is chosen" + (filters.isEmpty ? "" : " by \(filters.joined(separator: " "))"))
            return 1
        }
        // With a machine-readable output the progress goes to standard error.
        let progress = ProgressLines(total: cases.count + (machine.leaks ? 1 : 0), toStandardError: tap || json)
        var results = try prepared.results(of: cases) { progress.show($0) }
        let isWhole = results.count == cases.count
        if machine.leaks {
            results.append(try prepared.searchForLeaks(in: cases))
            progress.show(results[results.count - 1])
        }
        let report = Report(suite: suite, results: results, repeatCommand: repeatCommand)
        if let junit { try report.writeJUnit(to: junit) }
        if tap {
            say(report.tap)
        } else if json {
            say(report.json)
        } else {
            say(report.summary)
        }
        return report.failures.isEmpty && isWhole ? 0 : 1
    }

    /// This command line without its filters and outputs.
    private var repeatCommand: String {
        var words = [CommandLine.arguments[0], "test", "--kernel", machine.kernel, "--suite", suite]
        if machine.accel != "auto" { words += ["--accel", machine.accel] }
        if let memory = machine.memory { words += ["--memory", "\(memory)"] }
        words += machine.append.flatMap { ["--append", $0] }
        if let agent = machine.agent { words += ["--agent", agent] }
        words += file.flatMap { ["--file", $0] } + env.flatMap { ["--env", $0] }
        if let timeout { words += ["--timeout", "\(timeout)"] }
        if cold { words.append("--cold") }
        if machine.leaks { words.append("--leaks") }
        return words.map(shellQuoted).joined(separator: " ")
    }
}

/// One line per case; on a terminal with a count of how far the run is.
private final class ProgressLines: @unchecked Sendable {
    // Called for one result at a time.
    private var done = 0
    private let total: Int
    private let descriptor: Int32
    private let onTerminal: Bool

    init(total: Int, toStandardError: Bool) {
        self.total = total
        descriptor = toStandardError ? STDERR_FILENO : STDOUT_FILENO
        onTerminal = isatty(descriptor) == 1
    }

    func show(_ result: CaseResult) {
        done += 1
        let line = (onTerminal ? "[\(done)/\(total)] " : "") + Report.line(result)
        write(line, to: descriptor)
    }
}
