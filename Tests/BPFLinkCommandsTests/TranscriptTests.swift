// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import Glibc
import TestFixtures
import Testing

/// Whole runs of the tool, as texts in `Cases/`: the command line, what it prints, how it ends.
///
/// ```
/// # a comment
/// $ bpflink inspect plain.bpf.o
/// a line of stdout
/// ! a line of stderr
/// ? the exit status
/// ```
///
/// They run among the compiled fixtures. What depends on the compiler (numbers of instructions, registers, types) reads `N`; of
/// wrong usage only the first line counts, for the rest is the argument parser's.
/// With `UPDATE_EXPECTED=1` in the environment the texts become what happens.
@Suite struct TranscriptTests {
    @Test(arguments: ["inspect", "load", "share", "chain", "usage"])
    func runsPrintWhatTheTextsSay(name: String) throws {
        let path = Fixture.root + "/Tests/BPFLinkCommandsTests/Cases/\(name).txt"
        let expected = try String(decoding: TestFile.read(path), as: UTF8.self)
        var blocks: [String] = []
        var comments = ""
        for line in expected.split(separator: "\n") {
            if line.hasPrefix("#") { comments += line + "\n" }
            if line.hasPrefix("$ ") {
                let run = try Run(line.dropFirst(2).split(separator: " ").map(String.init))
                blocks.append(comments + line + "\n" + run.text)
                comments = ""
            }
        }
        let actual = blocks.joined(separator: "\n")
        #expect(!blocks.isEmpty)
        if getenv("UPDATE_EXPECTED") != nil {
            try TestFile.write(actual, to: path)
        } else {
            #expect(actual == expected)
        }
    }
}

/// One run of a program of this package.
struct Run {
    let output: String
    let errors: String
    let status: Int32

    /// - Parameter words: the program's name and its arguments.
    init(_ words: [String]) throws {
        let program = try #require(words.first)
        let scratch = "/tmp/bpflink-test-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        let outputPath = scratch + ".out"
        let errorPath = scratch + ".err"
        defer {
            unlink(outputPath)
            unlink(errorPath)
        }

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_EXCL, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errorPath, O_WRONLY | O_CREAT | O_EXCL, 0o600)

        // posix_spawn has no portable way to say where; env(1) has.
        let command = ["env", "--chdir=" + Fixture.directory, Self.products + "/" + program] + words.dropFirst()
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        var process = pid_t()
        let failure = posix_spawn(&process, "/usr/bin/env", &actions, nil, &arguments, environ)
        guard failure == 0 else {
            throw TestFile.Failure(description: "\(program): \(String(cString: strerror(failure)))")
        }
        var state: Int32 = 0
        while waitpid(process, &state, 0) == -1 && errno == EINTR {}
        // WIFEXITED and WEXITSTATUS; a signal shows as shells show it.
        status = state & 0x7f == 0 ? (state >> 8) & 0xff : 128 + (state & 0x7f)
        output = String(decoding: try TestFile.read(outputPath), as: UTF8.self)
        errors = String(decoding: try TestFile.read(errorPath), as: UTF8.self)
    }

    /// The run as the texts have it.
    var text: String {
        func lines(_ text: String, _ prefix: String) -> String {
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            return (lines.last == "" ? lines.dropLast() : lines[...]).map { line in
                line.isEmpty ? prefix.trimmed + "\n" : prefix + Self.stable(String(line)) + "\n"
            }.joined()
        }
        let words = status == 64 ? String(errors.prefix { $0 != "\n" }) : errors
        return lines(output, "") + lines(words, "! ") + "? \(status)\n"
    }

    /// A line without numbers that depend on the compiler.
    private static func stable(_ line: String) -> String {
        // Stacks are laid out by the compiler, too.
        line.replacing(/\d+ bytes of stack/, with: "N bytes of stack")
            .replacing(/("stack"|"instructions"):( ?)\d+/) { "\($0.output.1):\($0.output.2)N" }
            .replacing(/(instruction"?[ :]+|fixup [^ ]*\+|ld_imm64 r|src=[34] off=0 imm=)\d+/) { $0.output.1 + "N" }
    }

    /// Where the package's programs are built: beside the tests.
    private static var products: String {
        var path = [CChar](repeating: 0, count: Int(PATH_MAX))
        let length = readlink("/proc/self/exe", &path, path.count)
        let executable = String(decoding: path.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return executable.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    }
}

extension String {
    fileprivate var trimmed: String { hasSuffix(" ") ? String(dropLast()) : self }
}
