// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import BPFLinker
import BPFObject

/// One behaviour, shown on the running kernel.
struct Case: Sendable {
    /// `theme.behaviour`; cases of the theme `stock` are for a kernel without the patches, those of `regression` for both, and
    /// those of `smoke` also for one with some of them.
    let name: String
    /// The CPUs that it wants.
    let cpus: Int
    /// How many times as long as others it may take.
    let patience: Int
    /// It is about what blinding takes away: code that programs of several kinds share, instructions as they were written,
    /// names of functions in /proc/kallsyms. So it is run without, even if the kernel was booted with `bpf_jit_harden`.
    let unblinded: Bool
    let body: @Sendable () throws -> Void

    init(_ name: String, cpus: Int = 1, patience: Int = 1, unblinded: Bool = false, _ body: @escaping @Sendable () throws -> Void) {
        self.name = name
        self.cpus = cpus
        self.patience = patience
        self.unblinded = unblinded
        self.body = body
    }
}

/// What is not as it should be.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Why a case cannot be shown here.
struct Skip: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

func expect(_ condition: Bool, _ what: @autoclosure () -> String) throws {
    guard condition else { throw Failure(what()) }
}

func expectEqual<Value: Equatable>(_ actual: Value, _ expected: Value, _ what: @autoclosure () -> String) throws {
    guard actual == expected else { throw Failure("\(what()): expected \(expected), is \(actual)") }
}

func require<Value>(_ value: Value?, _ what: @autoclosure () -> String) throws -> Value {
    guard let value else { throw Failure(what()) }
    return value
}

/// Any error in words; those of bpflink with all they know.
func words(of error: any Error) -> String {
    switch error {
    case let error as KernelError:
        ([error.message] + error.notes + error.libbpfLog + [error.verifierLog?.text ?? ""]).joined(separator: "\n")
    case let error as LinkErrors: "\(error)"
    case let error as RawProgram.Refusal: "\(error)"
    default: "\(error)"
    }
}

private let notOfThisKind = "it is not valid in programs of this kind"

/// Runs `body`, which has to fail in the kernel with a log that has all of `words` in it.
func expectRefusal(_ words: String..., body: () throws -> Void) throws {
    let log: String
    do {
        try body()
        throw Failure("it was accepted, but should have been refused with: \(words.joined(separator: " … "))")
    } catch let error as KernelError {
        guard let text = error.verifierLog?.text else { throw Failure("the kernel gave no log: \(error)") }
        log = text
    } catch let error as RawProgram.Refusal {
        log = error.log
    }
    // What is verified with the program is refused in the verifier's words alone: there is no contract to be told of.
    let wanted = Mode.verification == .chain ? words.filter { !$0.hasPrefix("cannot import ") && $0 != notOfThisKind } : words
    for expected in wanted where !log.contains(expected) {
        throw Failure("the log lacks `\(expected)`; it ends with:\n\(log.suffix(1500))")
    }
}
