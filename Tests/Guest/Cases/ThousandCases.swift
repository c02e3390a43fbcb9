// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CBPFLinkUAPI
import CLibbpf
import Glibc

/// What it costs that up to a thousand programs have a function: as a copy, as a copy of which the code is shared, as a body that is
/// verified with each of them, and by contract. The figures are printed; what has to be so is checked.
let thousandCases: [Case] = [
    Case("thousand.programs_with_one_function", patience: 5, unblinded: true) {
        var all: [Way: [Int: Figures]] = [:]
        for way in Way.allCases { all[way] = try way.measure([1, 10, 100, 1000]) }
        for count in [1, 10, 100, 1000] {
            for way in Way.allCases { print("\(count) × \(way.rawValue): \(try require(all[way]?[count], "figures"))") }
        }
        func figures(_ way: Way) throws -> Figures { try require(all[way]?[1000], "figures of a thousand") }
        let (copies, shared) = (try figures(.copies), try figures(.sharedCopies))
        let (bodies, contract) = (try figures(.bodies), try figures(.contract))
        // A body is verified as often as a copy, and is there as often as an export.
        try expectEqual(bodies.instructions, copies.instructions, "instructions verified with bodies, as with copies")
        try expect(contract.instructions < copies.instructions / 100, "a contract saves no verification: \(contract)")
        let body = copies.code - contract.code
        for (name, sharing) in [("bodies", bodies), ("shared copies", shared)] {
            try expect(sharing.code - contract.code < body / 500, "code of \(name): \(sharing), by contract \(contract)")
        }
        try expect(shared.memory < copies.memory, "memory of shared copies: \(shared), of copies: \(copies)")
    }
]

private enum Way: String, CaseIterable {
    case copies = "a copy", sharedCopies = "a copy with shared code", bodies = "a body", contract = "an export"

    private static let length = 200

    /// The function: `length` instructions that the verifier goes through one by one.
    private var function: [bpf_insn] { [.set(0, 42)] + Array(repeating: .add(0, 0), count: Self.length) + [.exit] }

    private func program() throws -> RawProgram {
        switch self {
        case .copies, .sharedCopies:
            var program = try RawProgram.typed(type: BPF_PROG_TYPE_XDP)
            if self == .sharedCopies { program.flags = BPFLINK_F_SHARE_SUBPROGS }
            program.instructions = [.call(1), .exit]
            try program.add("answer", linkage: BTF_FUNC_STATIC, function)
            return program
        case .bodies:
            return try Raw.importer(ofBody: "answer", from: try Raw.keeping("answer", function), kind: .xdp)
        case .contract:
            let provider = try Raw.exporting("answer", type: BPF_PROG_TYPE_XDP, function)
            return try Raw.importer(from: provider, type: BPF_PROG_TYPE_XDP)
        }
    }

    /// Loads programs, and says at some numbers of them what they have cost so far.
    func measure(_ counts: [Int]) throws -> [Int: Figures] {
        let program = try program()
        var loaded: [OwnedDescriptor] = []
        var figures: [Int: Figures] = [:]
        var images: Set<UInt64> = []
        var sum = Figures()
        let before = try settledProgramMemory()
        for number in 1...(counts.max() ?? 0) {
            let start = now()
            let one = try program.load()
            sum.microseconds += now() - start
            let info = try one.opened().info
            sum.instructions += Int(info.verifiedInstructions)
            let own = zip(info.jitedSymbols, info.jitedLengths).map { ($0, Int($1)) }
            let imported = info.imports.compactMap(\.image).compactMap { image in image.address.map { ($0, image.length) } }
            for (address, length) in own + imported where images.insert(address).inserted { sum.code += length }
            loaded.append(one)
            guard counts.contains(number) else { continue }
            sum.memory = try programMemory() - before
            figures[number] = sum
        }
        if let last = loaded.last { try expectEqual(try last.run(), 42, "result of the last") }
        return figures
    }
}

/// What programs have cost.
private struct Figures: CustomStringConvertible {
    var instructions = 0
    var microseconds = 0
    /// Bytes of native code, shared code once.
    var code = 0
    /// Bytes of kernel memory for programs and their functions, native code aside.
    var memory = 0

    var description: String {
        "\(instructions) instructions verified, \(microseconds / 1000) ms, \(code) bytes of native code, \(memory / 1024) KiB for programs"
    }
}

/// Microseconds.
private func now() -> Int {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1_000_000 + time.tv_nsec / 1000
}

/// The bytes that programs take (`bpf_prog_alloc_no_stats()` in kernel/bpf/core.c), by /proc/vmallocinfo.
private func programMemory() throws -> Int {
    try readFile("/proc/vmallocinfo").split(separator: "\n").filter { $0.contains(" bpf_prog_") }
        .reduce(0) { $0 + (Int($1.split(separator: " ")[1]) ?? 0) }
}

/// The same when it does not become less any more: programs that went before are freed later.
private func settledProgramMemory() throws -> Int {
    var last = try programMemory()
    while true {
        usleep(300_000)
        let now = try programMemory()
        if now >= last { return now }
        last = now
    }
}
