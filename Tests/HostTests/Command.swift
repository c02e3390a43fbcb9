// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import TestFixtures
import Testing

/// What a command left behind.
struct Outcome {
    var status: Int32
    var output: String
    var errors: String

    /// A member of the JSON output, as text; enough for values that are strings or numbers.
    func member(_ name: String) -> String? {
        guard let key = output.range(of: "\"\(name)\":") else { return nil }
        return String(output[key.upperBound...].prefix { $0 != "," && $0 != "}" }).trimmingQuotes
    }
}

extension String {
    fileprivate var trimmingQuotes: String {
        hasPrefix("\"") && hasSuffix("\"") ? String(dropFirst().dropLast()) : self
    }

    /// Where a text occurs first.
    func range(of text: String) -> Range<Index>? {
        indices.first { self[$0...].hasPrefix(text) }.map { $0..<index($0, offsetBy: text.count) }
    }
}

enum Command {
    /// Runs shell words; `bpflink` and `$FIXTURES` mean the ones under test.
    static func run(_ words: String) throws -> Outcome {
        let scratch = "/tmp/bpflink_test_\(getpid())_\(UInt64.random(in: 0..<(.max)))"
        defer {
            unlink(scratch + ".out")
            unlink(scratch + ".err")
        }
        let products = try directoryOfTests()
        let script = "export PATH=\(products):$PATH:/usr/sbin FIXTURES=\(Fixture.directory); { \(words)\n} >\(scratch).out 2>\(scratch).err"
        // The threads that tests run on block most signals; a shell that blocks SIGCHLD, too, may wait for a child without end.
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        let status = system(script)
        pthread_sigmask(SIG_SETMASK, &before, nil)
        return Outcome(
            status: (status >> 8) & 0xff, output: try contents(scratch + ".out"), errors: try contents(scratch + ".err"))
    }

    /// The build puts executables beside the tests.
    private static func directoryOfTests() throws -> String {
        let path = try #require(CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? realpath("/proc/self/exe"))
        return path.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    }

    private static func realpath(_ path: String) -> String? {
        guard let resolved = Glibc.realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    private static func contents(_ path: String) throws -> String {
        let file = try #require(fopen(path, "r"))
        defer { fclose(file) }
        var bytes: [UInt8] = []
        while case let byte = getc(file), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The tests of a suite have the running kernel to themselves, one after the other.
struct RunningKernelTrait: SuiteTrait, TestTrait, TestScoping {
    /// For each test anew.
    var isRecursive: Bool { true }

    func provideScope(for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void) async throws {
        try await KernelLock.hold(function)
    }
}

extension Trait where Self == RunningKernelTrait {
    static var aloneOnTheKernel: Self { Self() }
}
