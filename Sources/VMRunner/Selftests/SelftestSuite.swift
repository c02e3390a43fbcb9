// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// One of the programs of the kernel's BPF selftests (`tools/testing/selftests/bpf`).
public enum SelftestSuite: String, Sendable, CaseIterable {
    case verifier = "test_verifier"
    case progs = "test_progs"
    case veristat = "veristat"
    /// Its tasks by the thousand take longer than anything else without KVM, and say least about programs: last.
    case maps = "test_maps"
    case progsNoALU32 = "test_progs-no_alu32"
    case progsCPUv4 = "test_progs-cpuv4"

    /// How its output is to be read.
    enum Kind: Sendable { case verifier, maps, progs, veristat }

    var kind: Kind {
        switch self {
        case .verifier: .verifier
        case .maps: .maps
        case .progs, .progsNoALU32, .progsCPUv4: .progs
        case .veristat: .veristat
        }
    }

    /// For whom its programs are compiled.
    var flavour: SelftestFlavour {
        switch self {
        case .verifier, .maps, .progs, .veristat: .standard
        case .progsNoALU32: .noALU32
        case .progsCPUv4: .cpuv4
        }
    }

    /// What is quick, if test_progs and veristat do only a part.
    public static let quick: [SelftestSuite] = [.verifier, .progs, .veristat]
}

/// The instruction sets that the BPF programs of test_progs are compiled to. Each is built and run by itself.
enum SelftestFlavour: String, Sendable, CaseIterable {
    case standard = ""
    /// Without 32-bit arithmetic.
    case noALU32 = "no_alu32"
    /// With the newest instructions.
    case cpuv4 = "cpuv4"

    var suites: [SelftestSuite] { SelftestSuite.allCases.filter { $0.flavour == self } }

    /// For people and file names.
    var name: String { self == .standard ? "standard" : rawValue }
}

/// A part of a suite that one machine runs: small enough to be repeated after an interruption.
struct SelftestShard: Equatable, Sendable {
    var suite: SelftestSuite
    /// From 1, within its suite.
    var number: Int
    /// Tests of test_progs, objects of veristat; empty for the other suites, which are run whole.
    var items: [String]
    /// Tests and subtests of `items` that are not to be run.
    var denied: [String] = []
    var cpus = 1
    /// Runs of the same shard are told apart by this, from 1.
    var attempt = 1
    /// What of the programs veristat is to load; all if nil.
    var filter: String?

    /// The command in the machine, in the directory of the programs.
    var arguments: [String] {
        // Line by line, so that what a machine said before its end is known.
        let program = ["stdbuf", "--output=L", "./\(suite.rawValue)"]
        switch suite.kind {
        case .verifier, .maps: return program
        case .progs:
            let deny = denied.isEmpty ? [] : ["--deny", denied.joined(separator: ",")]
            return program + ["--no-error-summary", "--watchdog-timeout", "600", "--allow", items.joined(separator: ",")] + deny
        case .veristat:
            let filter = filter.map { ["--filter", $0] } ?? []
            return program + ["--quiet", "--output-format", "csv", "--emit", VeristatOutput.columns.joined(separator: ",")]
                + filter + items
        }
    }

    /// Everything that decides what it does.
    var description: String {
        ([suite.rawValue, "\(cpus)", "\(attempt)"] + arguments).joined(separator: " ")
    }

    /// The shards of a suite.
    /// - Parameters:
    ///   - items: what of it is to be run, in its order; ignored for suites that are run whole.
    ///   - plural: the items that want two CPUs.
    static func shards(
        of suite: SelftestSuite, items: [String], denied: [String], plural: Set<String>, filter: String? = nil
    ) -> [SelftestShard] {
        let size: Int
        switch suite.kind {
        case .verifier, .maps: return [SelftestShard(suite: suite, number: 1, items: [])]
        case .progs: size = 40
        case .veristat: size = filter == nil ? 100 : items.count
        }
        let whole = Set(denied)
        let wanted = items.filter { !whole.contains($0) }
        var shards: [SelftestShard] = []
        for cpus in [1, 2] {
            var rest = wanted.filter { plural.contains($0) == (cpus == 2) }[...]
            while !rest.isEmpty {
                let part = Array(rest.prefix(size))
                rest = rest.dropFirst(size)
                let inner = denied.filter { name in
                    name.firstIndex(of: "/").map { part.contains(String(name[..<$0])) } ?? false
                }
                shards.append(
                    SelftestShard(
                        suite: suite, number: shards.count + 1, items: part,
                        denied: suite.kind == .progs ? inner : [], cpus: cpus, filter: filter))
            }
        }
        return shards
    }
}
