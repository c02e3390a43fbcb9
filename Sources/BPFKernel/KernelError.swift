// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import SystemPackage

/// What the kernel, libbpf or the machine refused, with everything that is known about why.
public struct KernelError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The kind of failure, stable across versions; it names the error in JSON.
    public struct Code: RawRepresentable, Hashable, Sendable {
        public var rawValue: String

        public init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// A selector matches nothing, or its FD is not open.
        public static let notFound = Code(rawValue: "not-found")
        /// A selector matches several programs.
        public static let ambiguous = Code(rawValue: "ambiguous")
        /// An FD, id or pin names something other than a BPF program.
        public static let notAProgram = Code(rawValue: "not-a-program")
        /// A program exports nothing.
        public static let notAProvider = Code(rawValue: "not-a-provider")
        /// A capability is missing.
        public static let capability = Code(rawValue: "capability")
        /// The running kernel lacks a feature.
        public static let feature = Code(rawValue: "feature")
        /// The verifier refused a program.
        public static let verifier = Code(rawValue: "verifier")
        /// Loading failed for another reason.
        public static let load = Code(rawValue: "load")
        /// The types of an export cannot be written in C.
        public static let header = Code(rawValue: "header")
        /// A pin could not be made, found or removed.
        public static let pin = Code(rawValue: "pin")
        /// A program could not be attached.
        public static let attach = Code(rawValue: "attach")
        /// Anything else the system refused.
        public static let system = Code(rawValue: "system")
    }

    public var code: Code
    /// What is wrong: lower case, no full stop, names in backticks.
    public var message: String
    /// The system's error number, where there is one.
    public var errno: Errno?
    /// Facts that help to see why, one sentence each.
    public var notes: [String]
    /// What the user can do about it.
    public var help: [String]
    /// The program that the kernel refused, where it is one program's failure.
    public var program: String?
    /// The verifier's log of the program that failed, whole.
    public var verifierLog: VerifierLog?
    /// What libbpf printed during the failed call, line by line.
    public var libbpfLog: [String]

    /// The message, the place, and what helps, on lines of their own; not the logs.
    public var description: String {
        let place = verifierLog?.place.map { ["  at \($0)"] } ?? []
        return ([message] + place + notes.map { "note: \($0)" } + help.map { "help: \($0)" }).joined(separator: "\n")
    }

    init(
        _ code: Code, _ message: String, errno: Errno? = nil, notes: [String] = [], help: [String] = [],
        program: String? = nil, verifierLog: VerifierLog? = nil, libbpfLog: [String] = []
    ) {
        self.code = code
        self.message = message
        self.errno = errno
        self.notes = notes
        self.help = help
        self.program = program
        self.verifierLog = verifierLog
        self.libbpfLog = libbpfLog
    }

    /// A failed call, told as `message: reason`.
    init(_ code: Code, _ message: String, _ failure: CallFailure, notes: [String] = [], help: [String] = []) {
        self.init(
            code, "\(message): \(failure.reason)", errno: failure.errno, notes: notes, help: help, libbpfLog: failure.log)
    }
}
