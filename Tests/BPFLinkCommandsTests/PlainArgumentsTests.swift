// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import ArgumentParser
import Testing

@testable import BPFLinkCommands

/// What is read without the argument parser is what the parser reads.
struct PlainArgumentsTests {
    /// Options with values that are right, wrong and strange, and what follows no option.
    private static let words: [[String]] = [
        ["a.bpf.o"], ["dir/b.bpf.o"], ["--pin", "/p"], ["--pin=/p"], ["--pin="], ["--pin"], ["--pin", "-x"], ["--pin=-x"],
        ["--import", "7:f"], ["--import=id=4:f"], ["--import", "f"], ["--import", "object=a.bpf.o:f"],
        ["--library", "pinned=/q"], ["--library", "7"], ["--library", "what=7"], ["--library-path", "/l"], ["--library-path=/m"],
        ["--mode", "copy"], ["--mode=kernel"], ["--mode", "any"], ["--carry"], ["--no-carry"], ["--share"], ["--no-share"],
        ["--type", "xdp"], ["--type", "nothing"], ["--export"], ["--only", "f,g"], ["--except=h"], ["--attach", "section"],
        ["--attach=xdp=eth0"], ["--attach", "?"], ["-n"], ["--nomount"], ["--dry-run"], ["--exec"], ["--exec-word=true"],
        ["--exec-word=--x"], ["-j"], ["--json"], ["-p"], ["--pretty"], ["-d"], ["--debug"], ["-jp"], ["--json=1"], ["-j=1"],
        ["--help"], ["-h"], ["--version"], ["--unknown"], ["--unknown", "x"], ["-"], ["--"], [""], ["--dry"], ["-pin", "/p"],
    ]

    /// Every word alone, every pair of them, and more of them at random.
    @Test func plainArgumentsAreReadAsTheParserReadsThem() throws {
        var random = Generator(state: 2026)
        var lines = Self.words + Self.words.flatMap { first in Self.words.map { first + $0 } }
        for _ in 0..<3000 {
            let count = Int.random(in: 2...8, using: &random)
            lines.append((0..<count).flatMap { _ in Self.words.randomElement(using: &random) ?? [] })
        }
        var plain = 0
        for line in lines + lines.map({ ["a.bpf.o"] + $0 }) {
            guard let read = LoadCommand(plain: line) else { continue }
            plain += 1
            let parsed = try? LoadCommand.parseAsRoot(line) as? LoadCommand
            #expect(parsed.map(Self.values) == Self.values(of: read), "\(line)")
        }
        // What is usual is plain.
        #expect(plain > 1000)
    }

    /// What `load` is run with day by day need not wait for the parser.
    @Test(arguments: [
        "a.bpf.o", "a.bpf.o --pin /sys/fs/bpf/a", "a.bpf.o --import pinned=/sys/fs/bpf/l:f --attach section --pin /p",
        "a.bpf.o b.bpf.o --library id=4 --library-path /l --mode copy --pin=/p -j", "a.bpf.o --dry-run --no-share",
        "a.bpf.o --exec --exec-word=true",
    ])
    func whatIsUsualIsPlain(line: String) {
        #expect(LoadCommand(plain: line.split(separator: " ").map(String.init)) != nil)
    }

    @Test(arguments: ["", "a.bpf.o --pin", "a.bpf.o --mode any", "a.bpf.o --help", "a.bpf.o --share --no-share", "a.bpf.o --exec"])
    func mistakesAndHelpAreLeftToTheParser(line: String) {
        #expect(LoadCommand(plain: line.split(separator: " ").map(String.init)) == nil)
    }

    /// The value of every property, by name, whatever properties there are.
    private static func values(of command: Any) -> [String] {
        Mirror(reflecting: command).children.flatMap { child -> [String] in
            let name = child.label ?? ""
            guard let value = Mirror(reflecting: child.value).descendant("_parsedValue", "value") else { return ["\(name) is not set"] }
            return value is CommonOptions ? values(of: value) : ["\(name): \(value)"]
        }
    }

    /// The same numbers every time.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        /// SplitMix64.
        mutating func next() -> UInt64 {
            state &+= 0x9e37_79b9_7f4a_7c15
            var mixed = (state ^ (state >> 30)) &* 0xbf58_476d_1ce4_e5b9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
            return mixed ^ (mixed >> 31)
        }
    }
}
