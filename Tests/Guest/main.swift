// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
//
// The integration suite: runs inside the booted kernel, as root.
//   --list       one case per line, with the CPUs and the patience that it wants if not one
//   --run NAME   0 passed, 4 cannot be run here (the last line says why), 1 failed

import BPFKernel
import Glibc

let cases =
    callCases + selectorCases + argumentCases + argumentKindCases + hostileArgumentCases + imageCases + costCases
    + lifetimeCases + flagCases + exportRefusalCases + importRefusalCases + stepCases + graphCases + copyCases
    + realObjectCases + treeCases + regressionCases + stockCases + qualificationCases + environmentCases
    + refusedImportCases + refusedExportCases + contextCases + contextRefusalCases + sleepableCases + packetCases + attachFactCases + powerCases
    + runContextCases + chainCommandCases + bodyCases + bodyRefusalCases + randomBodyCases + sharedImageCases + thousandCases + smokeCases + endCases

let skipped: Int32 = 4

/// Fixtures lie beside the executable unless the environment says otherwise.
func findFixtures() {
    guard getenv("BPFLINK_FIXTURES") == nil else { return }
    var parts = CommandLine.arguments[0].split(separator: "/", omittingEmptySubsequences: false)
    parts[parts.count - 1] = "fixtures"
    setenv("BPFLINK_FIXTURES", parts.joined(separator: "/"), 0)
}

/// Runs a case; everything it made in the kernel has to be gone afterwards.
func run(_ item: Case) -> Int32 {
    let isStock = Features.functionCalls() == .absent
    if item.name.hasPrefix("stock."), !isStock {
        print("the running kernel has FD + name calls")
        return skipped
    }
    let before = Census.take()
    do {
        if item.unblinded { try setSysctl("net/core/bpf_jit_harden", "0") }
        try item.body()
        try waitUntilGone(since: before)
        return 0
    } catch let skip as Skip {
        print(skip.reason)
        return skipped
    } catch {
        print("\(item.name): \(words(of: error))")
        return 1
    }
}

findFixtures()
switch CommandLine.arguments.dropFirst().first {
case "--list" where CommandLine.arguments.count == 2:
    for item in cases {
        let wishes = [("cpus", item.cpus), ("patience", item.patience)].filter { $0.1 != 1 }
        print(([item.name] + wishes.map { "\($0.0)=\($0.1)" }).joined(separator: "\t"))
    }
case "--run" where CommandLine.arguments.count == 3:
    guard let item = cases.first(where: { $0.name == CommandLine.arguments[2] }) else {
        print("no case \(CommandLine.arguments[2])")
        exit(1)
    }
    exit(run(item))
default:
    print("usage: bpflink-guest-tests --list | --run NAME")
    exit(64)
}
