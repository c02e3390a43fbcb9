// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import ArgumentParser
import BPFLink

// Arguments of `load` that are read at once.
//
// The argument parser finds out by reflection which options there are and how each is written, which takes as long as linking and
// loading a small object. Loads are what programs start in numbers, so what is plainly right is read here. Everything else is the
// parser's: mistakes, help, ways to write options that are rare. What options are called and mean is declared once, in
// ``LoadCommand``; a test takes them from there and compares what both readers make of them.

extension LoadCommand {
    /// Reads arguments that are plainly right.
    ///
    /// - Parameter arguments: what follows `load`.
    /// - Returns: nil if there is anything that is not known here or may be wrong.
    init?(plain arguments: [String]) {
        self.init()
        setDefaults()
        var given: Set<String> = []
        var words = arguments[...]
        while let word = words.popFirst() {
            guard word.hasPrefix("-") else {
                objects.append(word)
                continue
            }
            let end = word.firstIndex(of: "=")
            let option = String(word[..<(end ?? word.endIndex)])
            if end == nil, turn(option) {
                // A flag and its contrary go by one name: who gives both is told about it.
                guard given.insert(option.hasPrefix("--no-") ? "--" + option.dropFirst(5) : option).inserted else { return nil }
                continue
            }
            let value: String? = end.map { String(word[word.index(after: $0)...]) } ?? words.popFirst()
            guard let value, !value.isEmpty, end != nil || !value.hasPrefix("-") else { return nil }
            guard append(value, to: option) || given.insert(option).inserted && set(option, to: value) else { return nil }
        }
        if objects.isEmpty { return nil }
        guard (try? validate()) != nil else { return nil }
    }

    /// What the declarations say, which the parser knows and nobody else.
    private mutating func setDefaults() {
        (objects, imports, library, libraryPath, only, except, attach, command) = ([], [], [], [], [], [], [], [])
        (mode, type, share, pin) = (.auto, nil, nil, nil)
        (carry, export, noMount, dryRun, exec) = (true, false, false, false, false)
        common = CommonOptions()
        (common.json, common.pretty, common.debug) = (false, false, false)
    }

    /// Sets a flag; false if there is none of that name.
    private mutating func turn(_ flag: String) -> Bool {
        switch flag {
        case "--carry": carry = true
        case "--no-carry": carry = false
        case "--export": export = true
        case "--share": share = true
        case "--no-share": share = false
        case "-n", "--nomount": noMount = true
        case "--dry-run": dryRun = true
        case "--exec": exec = true
        case "-j", "--json": common.json = true
        case "-p", "--pretty": common.pretty = true
        case "-d", "--debug": common.debug = true
        default: return false
        }
        return true
    }

    /// Adds to the values of an option that may be given often; false if it is none, or the value is none for it.
    private mutating func append(_ value: String, to option: String) -> Bool {
        func add<Value>(_ read: Value?, to values: inout [Value]) -> Bool {
            if let read { values.append(read) }
            return read != nil
        }
        return switch option {
        case "--import": add(ImportArgument(argument: value), to: &imports)
        case "--library": add(ProgramSelector(argument: value), to: &library)
        case "--library-path": add(value, to: &libraryPath)
        case "--only": add(value, to: &only)
        case "--except": add(value, to: &except)
        case "--attach": add(AttachTarget(argument: value), to: &attach)
        case "--\(Self.commandOption)": add(value, to: &command)
        default: false
        }
    }

    /// Sets an option that has one value; false if there is none of that name, or the value is none for it.
    private mutating func set(_ option: String, to value: String) -> Bool {
        switch option {
        case "--mode":
            guard let mode = LinkMode(rawValue: value) else { return false }
            self.mode = mode
        case "--type": type = value
        case "--pin": pin = value
        default: return false
        }
        return true
    }
}
