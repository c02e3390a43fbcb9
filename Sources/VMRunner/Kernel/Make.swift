// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLinuxSystem
import Glibc
import SystemPackage
import VMProtocol

/// How far a kernel build is.
public struct BuildProgress: Sendable {
    /// Files compiled so far.
    public var compiled: Int
    public var elapsed: Duration
    /// The file or step at hand.
    public var current: String
}

/// The kernel's own build, outside its source tree.
struct Make {
    let source: String
    let objects: String
    /// Takes everything that make prints.
    let log: String
    let jobs: Int?
    /// Variables (`NAME=VALUE`) for every target.
    var variables: [String] = []
    /// Where programs are looked for, if not in this process's `PATH`.
    var path: String?

    /// Makes targets, with the same result whoever makes them and when.
    /// - Parameter variables: of variables of one name the last counts, `ARCH` among them.
    /// - Throws: `RunnerError` with the compiler's words if it fails.
    func run(_ targets: [String], variables: [String] = [], progress: (BuildProgress) -> Void) throws {
        let count = jobs ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let arguments =
            [
                "make", "-C", source, "O=\(objects)", "-j\(count)", "ARCH=x86_64", "LOCALVERSION=",
                "KBUILD_BUILD_TIMESTAMP=1970-01-01 00:00:00 UTC", "KBUILD_BUILD_USER=bpflink", "KBUILD_BUILD_HOST=bpflink",
                "KBUILD_BUILD_VERSION=1",
            ] + self.variables + variables + targets
        // Nothing else of the user's environment may decide what is built.
        let path = path.map { ["PATH=\($0)"] } ?? Environment.passing("PATH")
        let environment = ["LC_ALL=C"] + path + Environment.passing("HOME", "TMPDIR")

        var ends: [Int32] = [0, 0]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw RunnerError("cannot make a pipe: \(Errno(rawValue: errno))") }
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        let file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        defer { for descriptor in [ends[0], null, file] { close(descriptor) } }
        guard file >= 0 else { throw RunnerError("cannot write \(log): \(Errno(rawValue: errno))") }
        var child = try ChildProcess(
            arguments, descriptors: [null, ends[1], ends[1]], environment: environment, onParentDeath: .terminate)
        close(ends[1])

        var lines = LineBuffer()
        var compiled = 0
        let start = ContinuousClock.now
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = chunk.withUnsafeMutableBytes { read(ends[0], $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { break }
            _ = chunk.withUnsafeBytes { write(file, $0.baseAddress, count) }
            for line in (try? lines.append(Array(chunk[..<count]))) ?? [] {
                guard let step = Make.step(String(decoding: line, as: UTF8.self)) else { continue }
                if step.isCompilation { compiled += 1 }
                progress(
                    BuildProgress(compiled: compiled, elapsed: ContinuousClock.now - start, current: step.file))
            }
        }
        let end = child.wait()
        guard end == .exited(0) else {
            let words = Make.errors(try Files.text(log))
            throw RunnerError("make \(targets.joined(separator: " ")) failed (\(Tool.describe(end)))\n\(words)\nlog: \(log)")
        }
    }

    /// What a line such as "  CC      kernel/fork.o" tells; nil for other lines.
    static func step(_ line: String) -> (isCompilation: Bool, file: String)? {
        guard line.hasPrefix("  ") else { return nil }
        let words = line.split(separator: " ")
        guard words.count >= 2, let step = words.first, step.first?.isUppercase == true,
            step.allSatisfy({ $0.isUppercase || $0.isNumber || $0 == "_" || $0 == "-" })
        else { return nil }
        let compilations: Set = ["CC", "AS", "HOSTCC", "CHK", "CLNG-BPF", "TEST-OBJ"]
        return (compilations.contains(String(step)), words[words.count - 1].description)
    }

    /// The lines that tell why a build failed: the first error with what follows it, as far as a screen holds.
    static func errors(_ log: String) -> String {
        let lines = log.split(separator: "\n")
        let first = lines.firstIndex { line in
            [" error: ", "fatal error:", "undefined reference", "Error 1", "*** "].contains { line.contains($0) }
        }
        guard let first else { return lines.suffix(20).joined(separator: "\n") }
        let rest = lines[max(lines.startIndex, first - 3)...].filter { step(String($0)) == nil }
        return rest.prefix(25).joined(separator: "\n")
    }
}
