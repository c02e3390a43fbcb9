// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import ArgumentParser
public import BPFLink

// How selectors are written on the command line. A value that cannot be read is wrong usage.

/// Why a value on the command line cannot be read; the argument parser says which one it is.
struct UnreadableValue: Error, CustomStringConvertible {
    let description: String
}

extension ProgramSelector {
    /// - Throws: ``UnreadableValue``.
    static func read(_ text: String) throws -> ProgramSelector {
        if let selector = ProgramSelector(text) { return selector }
        throw UnreadableValue(description: fault(in: text))
    }

    /// What is wrong with a text that is no selector.
    fileprivate static func fault(in text: String) -> String {
        let kind = String(text.prefix { $0 != "=" })
        let isKnown = ["id", "pinned", "name", "tag"].contains(kind)
        if isKnown, text.count <= kind.count + 1 { return "nothing follows `\(kind)=`" }
        if kind == text { return text.contains("/") ? "a path has `pinned=` before it" : "a name has `name=` before it, an id `id=`" }
        switch kind {
        case "id": return "an id is a number"
        case "tag": return "a tag has 16 hexadecimal digits"
        default: return "REF is the number of a descriptor, or id=N, pinned=PATH, name=NAME or tag=TAG"
        }
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
    /// One of the objects that are loaded together, by its file or the end of its path: `object=lib.bpf.o`.
    case object(String)

    /// - Throws: ``UnreadableValue``.
    init(_ text: String) throws {
        if text.hasPrefix("object=") {
            let name = String(text.dropFirst("object=".count))
            if name.isEmpty { throw UnreadableValue(description: "nothing follows `object=`") }
            self = .object(name)
        } else {
            self = .program(try ProgramSelector.read(text))
        }
    }
}

/// `REF:NAME`: import NAME from what REF selects.
public struct ImportArgument: Sendable, Equatable {
    public var source: ImportSource
    public var function: String

    /// The last colon separates; a path may have others.
    ///
    /// - Throws: ``UnreadableValue``.
    static func read(_ text: String) throws -> ImportArgument {
        guard let colon = text.lastIndex(of: ":"), text.index(after: colon) < text.endIndex else {
            throw UnreadableValue(description: "`:NAME` is missing, the function that is to be imported")
        }
        return ImportArgument(
            source: try ImportSource(String(text[..<colon])), function: String(text[text.index(after: colon)...]))
    }
}

extension AttachTarget {
    /// - Throws: ``UnreadableValue``.
    static func read(_ text: String) throws -> AttachTarget {
        if let target = AttachTarget(text) { return target }
        throw UnreadableValue(description: fault(in: text))
    }

    /// What is wrong with a text that is no target.
    private static func fault(in text: String) -> String {
        let kind = text.prefix { $0 != "=" }
        guard let known = kinds.first(where: { $0.key == kind }) else { return help }
        let value = text.dropFirst(kind.count + 1)
        if value.isEmpty { return "it takes a value: \(known.key)=\(known.value)" }
        // Of all others any value is one.
        return known.key == "replace"
            ? ProgramSelector.fault(in: String(value))
            : "events are \(PerfEvent.names.joined(separator: ", ")), with `@` and how often per second, or without"
    }

    /// Whether a word is meant as a target, be it right or wrong.
    private static func isMeant(by word: String) -> Bool {
        word == "section" || kinds.contains { $0.key == word.prefix { $0 != "=" } }
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
            if !isOver, argument == "--attach", !isMeant(by: next) {
                completed[completed.count - 1] = "--attach=section"
            }
        }
        return completed
    }
}
