// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
public import BPFObject

/// What several programs of one object have in common, and how they come to have it once: a first step loads the shared
/// functions as a provider, the steps after it load the programs, which import them.
///
/// All steps are parts of one object, so its maps and global data are the same for all of them, shared or not.
public struct Sharing: Sendable {
    /// A function that is loaded once.
    public struct Function: Sendable {
        public let export: Export
        /// What the importing programs call it by.
        public let extern: ExternFunction
        /// The programs that import it, in the order of the object.
        public let programs: [String]
        /// Whether the provider only keeps it, to be verified with each program that imports it; else it is an export.
        public let isBody: Bool
        /// The programs that it is verified with, and why.
        public let chained: [Chained]

        public var name: String { export.name }
    }

    /// Programs with which a function is verified that they import.
    public struct Chained: Sendable {
        /// In the order of the object.
        public let programs: [String]
        public let reason: Reason
    }

    /// A function that programs have copies of, as libbpf alone would load it.
    public struct Copy: Sendable {
        public let name: String
        /// The programs with a copy, in the order of the object.
        public let programs: [String]
        public let reason: Reason
    }

    /// Why a function is not shared, or is verified with each program.
    public enum Reason: Hashable, Sendable {
        /// The author marked it, to be verified with its callers (``BPFObject/Function/Role/body``).
        case isMarked
        /// It is asked for (``LinkOptions/verification``).
        case isAsked
        /// A function calls it that is also part of a program to which the kernel refused the import: all calls in it are alike.
        case calledWith(String)
        /// It is `static`.
        case isStatic
        /// It is `__hidden`.
        case isHidden
        /// BTF has no prototype of it, or .BTF.ext no record.
        case noPrototype
        /// Only one of the programs that are loaded, and can import, uses it.
        case oneProgram
        /// It, or a function that it calls, does what no program can do for another.
        case obstacle(ContractObstacle, in: String)
        /// It is not called, its address is taken.
        case onlyAddress
        /// A function calls it that is part of what is shared, or of a program that cannot import, as well: it keeps its calls.
        case calledBelow(String)
        /// A program that cannot import uses it.
        case program(String, ProgramReason)
        /// The object's data has programs in it: libbpf fills such data with programs that it loads itself.
        case programsInData
        /// The kernel refused, for these programs: its words, line by line.
        case refused([String])
    }

    /// Why a program cannot import.
    public enum ProgramReason: Hashable, Sendable {
        /// It replaces a function of another program (`freplace`).
        case isExtension
        case refused([String])
    }

    /// In the order of the object; empty if nothing is shared.
    public let functions: [Function]
    /// Functions of `.text` that two programs have, and global ones that one has.
    public let copies: [Copy]
    /// The type of the provider, in the words of section names: that of the programs which call most of what is shared, so that
    /// the functions are verified first as what they will be.
    public let providerType: String
    /// The calls of shared functions.
    let fixups: [Fixup]
    /// The functions that each program consists of, by name.
    let contents: [String: Set<String>]

    static let none = Sharing(functions: [], copies: [], providerType: "socket", fixups: [], contents: [:])

    /// The names of the programs that import.
    public var importers: Set<String> { Set(functions.flatMap(\.programs)) }
}
