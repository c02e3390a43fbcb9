// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Testing

@testable import BPFKernel

/// The descriptor table of a program that calls functions of other programs, and functions of the kernel and of its modules.
@Suite struct SlotTests {
    private static func call(_ source: Int32, slot: Int16) -> bpf_insn {
        bpf_insn(code: UInt8(BPF_JMP | BPF_CALL), dst_reg: 0, src_reg: UInt8(source), off: slot, imm: 7)
    }
    private static let helper = call(0, slot: 0)
    private static func kernelFunction(_ slot: Int16) -> bpf_insn { call(BPF_PSEUDO_KFUNC_CALL, slot: slot) }
    private static func imported(_ slot: Int16) -> bpf_insn { call(3, slot: slot) }

    private static func resolve(_ instructions: inout [bpf_insn], own: [CInt], modules: [CInt]) throws -> [CInt] {
        try modules.withUnsafeBufferPointer { modules in
            try InterposedLoad.resolveSlots(
                &instructions, own: own, kernelModules: modules.isEmpty ? nil : modules.baseAddress, program: "program")
        }
    }

    @Test func providersAloneKeepTheirSlots() throws {
        var instructions = [Self.imported(1), Self.kernelFunction(0), Self.imported(0), Self.helper]
        #expect(try Self.resolve(&instructions, own: [10, 11], modules: []) == [10, 11])
        #expect(instructions.map(\.off) == [1, 0, 0, 0])
    }

    @Test func providersComeBehindKernelModules() throws {
        // libbpf counts modules from 1; slot 0 is vmlinux and holds no descriptor.
        var instructions = [Self.kernelFunction(2), Self.imported(0), Self.kernelFunction(0), Self.imported(1), Self.kernelFunction(1)]
        #expect(try Self.resolve(&instructions, own: [10, 11], modules: [0, 20, 21]) == [10, 20, 21, 10, 11])
        #expect(instructions.map(\.off) == [2, 3, 0, 4, 1])
        #expect(instructions.allSatisfy { $0.imm == 7 })
    }

    @Test func withoutImportsThereIsNoTable() throws {
        var instructions = [Self.kernelFunction(1), Self.helper]
        #expect(try Self.resolve(&instructions, own: [10], modules: [0, 20]) == [])
        #expect(instructions.map(\.off) == [1, 0])
    }

    @Test func aSlotOfNoProviderIsAnError() throws {
        var instructions = [Self.imported(1)]
        let error = try kernelError { _ = try Self.resolve(&instructions, own: [10], modules: []) }
        #expect(error.message == "`program` calls a function of provider 1, of 1")
    }
}
