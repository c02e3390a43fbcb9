// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CLibbpf
import CLibcap

/// What call chains through several programs may cost.
let costCases: [Case] = [
    Case("costs.stack_of_512_bytes_in_two_programs") {
        let deep = try deepProvider(stack: 256)
        try expectEqual(try importer(of: deep, stack: 256).load().run(), 5, "result with 256 bytes on each side")
        try expectRefusal(
            "combined stack size of calls through deep() of prog \(deep.info.id) (lib) is 528, the limit is 512"
        ) { _ = try importer(of: deep, stack: 264).load() }
    },
    Case("costs.stack_below_a_subprogram_of_the_importer") {
        let deep = try deepProvider(stack: 256)
        for (stack, fits) in [(Int16(128), true), (136, false)] {
            var program = try importer(of: deep, stack: 128)
            // main → inner (static) → deep
            let inner = program.instructions
            program.instructions = [.store(10, -stack, value: 0), .call(1), .exit]
            try program.add("inner", linkage: BTF_FUNC_STATIC, inner)
            if fits {
                try expectEqual(try program.load().run(), 5, "result with 128 + 128 + 256 bytes")
            } else {
                try expectRefusal("is 528, the limit is 512") { _ = try program.load() }
            }
        }
    },
    Case("costs.loop_that_never_turns") {
        // Its callback is removed, and where that was is a function that nobody calls back: itself, or the entry function. It may
        // seem to turn on a path that is followed only for what a processor might speculate.
        for capabilities in [[cap_value_t].bpfOnly, .bpfOnly + [CAP_PERFMON]] {
            for isFirst in [true, false] {
                let provider = try withCapabilities(capabilities) { try loopingProvider(callbackIsFirst: isFirst) }
                // The export takes its own frame, and no more.
                for kind in [ProgramKind.socketFilter, .xdp] {
                    var program = try Raw.importer(from: provider, kind: kind)
                    program.instructions.insert(.store(10, -280, value: 0), at: 0)
                    let importer = try withCapabilities(capabilities) { try program.load() }
                    try expectEqual(try importer.run(), 42, "result in \(kind.name)")
                }
            }
        }
    },
    Case("costs.stack_through_three_programs") {
        let deep = try deepProvider(stack: 256)
        var middle = try RawProgram.library("middle")
        let function = try middle.extern("deep")
        middle.slots = [deep]
        try middle.add("through", [.store(10, -160, value: 0), .call(import: function), .exit])
        let provider = try Provider(try middle.load())
        try expectEqual(try importer(of: provider, "through", stack: 96).load().run(), 5, "result with 96 + 160 + 256 bytes")
        try expectRefusal(
            "combined stack size of calls through through() of prog \(provider.info.id) (middle) is 528, the limit is 512"
        ) { _ = try importer(of: provider, "through", stack: 104).load() }
    },
    Case("costs.stack_of_a_provider_alone") {
        let deep = try deepProvider(stack: 256)
        var upper = try RawProgram.library("upper")
        let function = try upper.extern("deep")
        upper.slots = [deep]
        // Nobody calls it, but it could be imported.
        try upper.add("over", [.store(10, -264, value: 0), .call(import: function), .exit])
        try expectRefusal("is 528, the limit is 512") { _ = try upper.load() }
    },
    Case("costs.frames_through_32_programs") {
        var provider = try Raw.answering(9)
        var name = "answer"
        for level in 2...31 {
            provider = try Raw.passing(name, of: provider, as: "level\(level)")
            name = "level\(level)"
        }
        try expectEqual(provider.info.exports[0].frames, 31, "frames of the longest provider")
        try expectEqual(try Raw.importer(of: name, from: provider).load().run(), 9, "result through 32 frames")
        let last = try Raw.passing(name, of: provider, as: "level32")
        try expectRefusal(
            "the call stack through level32() of prog \(last.info.id) (lib) is 33 frames deep, the limit is 32"
        ) { _ = try Raw.importer(of: "level32", from: last).load() }
        try expectRefusal("is 33 frames deep, the limit is 32") { _ = try Raw.passing("level32", of: last, as: "level33") }
    },
    Case("costs.frames_within_the_provider") {
        // A chain of 40 functions without any stack of their own.
        var program = try RawProgram.library()
        for level in 0..<39 { try program.add("f\(level)", [.call(1), .exit]) }
        try program.add("f39", [.set(0, 3), .exit])
        let provider = try Provider(try program.load())
        try expectEqual(try Raw.importer(of: "f9", from: provider).load().run(), 3, "result through 1 + 31 frames")
        try expectRefusal("is 33 frames deep, the limit is 32") { _ = try Raw.importer(of: "f8", from: provider).load() }
    },
    Case("costs.many_importers") {
        let provider = try Raw.answering(1)
        let importers = try (0..<200).map { _ in try Raw.importer(from: provider).load() }
        try expectEqual(try importers.reduce(0) { $0 + Int(try $1.run()) }, 200, "sum of what 200 importers return")
    },
]

/// A provider of `int deep(void)`, which needs a stack of so many bytes and returns 5.
private func deepProvider(stack: Int16) throws -> Provider {
    var program = try RawProgram.library()
    try program.add("deep", [.store(10, -stack, value: 5), .load(0, 10, -stack), .exit])
    return try Provider(try program.load())
}

private func importer(of provider: Provider, _ name: String = "deep", stack: Int16) throws -> RawProgram {
    var program = try Raw.importer(of: name, from: provider)
    program.instructions.insert(.store(10, -stack, value: 0), at: 0)
    return program
}

/// A provider of `int answer(void)` with a frame of 200 bytes and a loop that never turns.
private func loopingProvider(callbackIsFirst: Bool) throws -> Provider {
    var library = try RawProgram.library()
    let types = try require(library.types, "types")
    let end: [bpf_insn] = [.set(3, 0), .set(4, 0), .helper(BPF_FUNC_loop), .set(0, 42), .exit]
    let begin: [bpf_insn] = [
        .store(10, -200, value: 0), .helper(BPF_FUNC_get_prandom_u32), .copy(6, 0), .and(6, 1), .set(1, 0),
        .jump(if: 6, equals: 7, 1), .jump(1), .set(1, 5),
    ]
    func addCallback() throws {
        try library.add("turn", taking: [types.long, types.long], linkage: BTF_FUNC_STATIC, [.set(0, 0), .exit])
    }
    if callbackIsFirst { try addCallback() }
    let callback = callbackIsFirst ? -Int32(begin.count) - 3 : Int32(end.count) + 1
    try library.add("answer", begin + bpf_insn.function(2, callback) + end)
    if !callbackIsFirst { try addCallback() }
    return try Provider(try library.load())
}
