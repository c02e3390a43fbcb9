// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLinuxSystem
import Glibc
import SystemPackage

/// Programs that the runner has do a piece of work and waits for.
enum Tool {
    /// What a program said, and how it ended.
    struct Result {
        var end: ChildProcess.End
        var output: String
        var errors: String
    }

    /// Runs a program to its end, whatever that is.
    /// - Parameter showsErrors: its standard error goes to ours.
    /// - Throws: `RunnerError` if the program is not there.
    static func run(
        _ arguments: [String], input: [UInt8]? = nil, directory: String? = nil, environment: [String]? = nil,
        showsErrors: Bool = false
    ) throws(RunnerError) -> Result {
        let files = try makeTemporaryFiles(input: input)
        defer { for file in files { close(file) } }
        var child = try ChildProcess(
            arguments, descriptors: [files[0], files[1], showsErrors ? STDERR_FILENO : files[2]],
            directory: directory, environment: environment, onParentDeath: .terminate)
        return Result(end: child.wait(), output: contents(files[1]), errors: contents(files[2]))
    }

    /// Runs a program and returns its standard output; its standard error goes to ours, or into the error.
    /// - Throws: `RunnerError` if the program is not there or says that it failed.
    static func output(
        _ arguments: [String], input: [UInt8]? = nil, directory: String? = nil, environment: [String]? = nil,
        showsErrors: Bool = false
    ) throws(RunnerError) -> String {
        let result = try run(
            arguments, input: input, directory: directory, environment: environment, showsErrors: showsErrors)
        guard result.end == .exited(0) else {
            let words = result.errors.split(separator: "\n").suffix(20).joined(separator: "\n")
            throw RunnerError(
                "`\(arguments.joined(separator: " "))` failed (\(describe(result.end)))" + (words.isEmpty ? "" : "\n\(words)"))
        }
        return result.output
    }

    /// The first line of what a program says of its version.
    /// - Parameter help: what to do if it is not installed.
    static func version(_ program: String, help: String? = nil) throws(RunnerError) -> String {
        guard program.contains("/") ? Files.exists(program) : findProgram(program) != nil else { throw RunnerError("\(program) is not installed", help: help) }
        return try output([program, "--version"]).split(separator: "\n").first.map(String.init) ?? ""
    }

    static func describe(_ end: ChildProcess.End) -> String {
        switch end {
        case .exited(let code): "exit code \(code)"
        case .signalled(let signal): "signal \(signal)"
        }
    }

    /// Nameless files for input, output and errors: unlike pipes they need nobody to empty them.
    private static func makeTemporaryFiles(input: [UInt8]?) throws(RunnerError) -> [Int32] {
        var files: [Int32] = []
        for index in 0..<3 {
            let file: Int32
            if index == 0 && input == nil {
                file = open("/dev/null", O_RDONLY | O_CLOEXEC)
            } else {
                var name = Array("\(Environment["TMPDIR"] ?? "/tmp")/bpflink-vm.XXXXXX".utf8CString)
                file = mkostemp(&name, O_CLOEXEC)
                unlink(name)
            }
            guard file >= 0 else { throw RunnerError("cannot make a temporary file: \(Errno(rawValue: errno))") }
            files.append(file)
        }
        if let input {
            do {
                _ = try FileDescriptor(rawValue: files[0]).writeAll(input)
            } catch {
                throw RunnerError("cannot write a temporary file: \(error)")
            }
            lseek(files[0], 0, SEEK_SET)
        }
        return files
    }

    private static func contents(_ file: Int32) -> String {
        let size = Int(lseek(file, 0, SEEK_END))
        let bytes = [UInt8](unsafeUninitializedCapacity: max(size, 0)) { buffer, count in
            count = max(pread(file, buffer.baseAddress, buffer.count, 0), 0)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
