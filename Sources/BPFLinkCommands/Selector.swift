// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import ArgumentParser
public import BPFLink

// How selectors are written on the command line. A value that cannot be read is wrong usage.

extension ProgramSelector: ExpressibleByArgument {
    public init?(argument: String) {
        self.init(argument)
    }
}

extension LinkMode: ExpressibleByArgument {
    // Said here, the parser need not find it out by reflection.
    public static var allValueStrings: [String] { allCases.map(\.rawValue) }
    public static var allValueDescriptions: [String: String] { [:] }
    public var defaultValueDescription: String { rawValue }
}

extension Verification: ExpressibleByArgument {
    public static var allValueStrings: [String] { allCases.map(\.rawValue) }
    public static var allValueDescriptions: [String: String] { [:] }
}

/// Where an import is taken from.
public enum ImportSource: Sendable, Hashable {
    /// A loaded program.
    case program(ProgramSelector)
    /// One of the objects that are loaded together, by its path or its file's name: `object=lib.bpf.o`.
    case object(String)

    init?(_ text: String) {
        if text.hasPrefix("object="), text.count > "object=".count {
            self = .object(String(text.dropFirst("object=".count)))
        } else if let selector = ProgramSelector(text) {
            self = .program(selector)
        } else {
            return nil
        }
    }
}

/// `REF:NAME`: import NAME from what REF selects.
public struct ImportArgument: ExpressibleByArgument, Sendable, Equatable {
    public var source: ImportSource
    public var function: String

    /// The last colon separates; a path may have others.
    public init?(argument: String) {
        guard let colon = argument.lastIndex(of: ":"), let source = ImportSource(String(argument[..<colon])) else { return nil }
        self.source = source
        self.function = String(argument[argument.index(after: colon)...])
        if function.isEmpty { return nil }
    }
}

extension AttachTarget: ExpressibleByArgument {
    public init?(argument: String) {
        self.init(argument)
    }

    /// Gives every `--attach` without a target the target `section`, as options with an optional value are not known to the
    /// argument parser. What follows `--` is left alone.
    static func completingBareOptions(in arguments: [String]) -> [String] {
        var completed: [String] = []
        var isOver = false
        for (index, argument) in arguments.enumerated() {
            completed.append(argument)
            isOver = isOver || argument == "--"
            let next = index + 1 < arguments.count ? arguments[index + 1] : ""
            if !isOver, argument == "--attach", AttachTarget(next) == nil {
                completed[completed.count - 1] = "--attach=section"
            }
        }
        return completed
    }
}
