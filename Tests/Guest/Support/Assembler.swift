// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import CBPFLinkUAPI
import CLibbpf

/// Instructions by what they do (RFC 9669). Registers are numbers, 10 is the frame pointer.
extension bpf_insn {
    private init(_ code: CInt, _ destination: UInt8 = 0, _ source: UInt8 = 0, _ offset: Int16 = 0, _ immediate: Int32 = 0) {
        self.init(code: UInt8(code), dst_reg: destination, src_reg: source, off: offset, imm: immediate)
    }

    /// `rD = value`
    static func set(_ destination: UInt8, _ value: Int32) -> bpf_insn {
        bpf_insn(BPF_ALU64 | BPF_MOV | BPF_K, destination, 0, 0, value)
    }
    /// `rD = rS`
    static func copy(_ destination: UInt8, _ source: UInt8) -> bpf_insn {
        bpf_insn(BPF_ALU64 | BPF_MOV | BPF_X, destination, source)
    }
    /// `rD = the arena's memory at rS` (addr_space_cast from address space 1 to 0)
    static func arenaPointer(_ destination: UInt8, _ source: UInt8) -> bpf_insn {
        bpf_insn(BPF_ALU64 | BPF_MOV | BPF_X, destination, source, 1, 1)
    }
    /// `rD += value`
    static func add(_ destination: UInt8, _ value: Int32) -> bpf_insn {
        bpf_insn(BPF_ALU64 | BPF_ADD | BPF_K, destination, 0, 0, value)
    }
    /// `rD += rS`
    static func sum(_ destination: UInt8, _ source: UInt8) -> bpf_insn {
        bpf_insn(BPF_ALU64 | BPF_ADD | BPF_X, destination, source)
    }
    /// `rD &= value`
    static func and(_ destination: UInt8, _ value: Int32) -> bpf_insn {
        bpf_insn(BPF_ALU64 | BPF_AND | BPF_K, destination, 0, 0, value)
    }
    /// `*(u64 *)(rB + offset) = value`
    static func store(_ base: UInt8, _ offset: Int16, value: Int32) -> bpf_insn {
        bpf_insn(BPF_ST | BPF_MEM | BPF_DW, base, 0, offset, value)
    }
    /// `*(u64 *)(rB + offset) = rS`
    static func store(_ base: UInt8, _ offset: Int16, register: UInt8) -> bpf_insn {
        bpf_insn(BPF_STX | BPF_MEM | BPF_DW, base, register, offset)
    }
    /// `rD = *(u64 *)(rB + offset)`
    static func load(_ destination: UInt8, _ base: UInt8, _ offset: Int16) -> bpf_insn {
        bpf_insn(BPF_LDX | BPF_MEM | BPF_DW, destination, base, offset)
    }
    /// `rD = *(u32 *)(rB + offset)`
    static func load32(_ destination: UInt8, _ base: UInt8, _ offset: Int16) -> bpf_insn {
        bpf_insn(BPF_LDX | BPF_MEM | BPF_W, destination, base, offset)
    }
    /// `*(u32 *)(rB + offset) = rS`
    static func store32(_ base: UInt8, _ offset: Int16, register: UInt8) -> bpf_insn {
        bpf_insn(BPF_STX | BPF_MEM | BPF_W, base, register, offset)
    }
    /// `*(u64 *)(rB + offset) += rS`, atomically
    static func atomicAdd(_ base: UInt8, _ offset: Int16, register: UInt8) -> bpf_insn {
        bpf_insn(BPF_STX | BPF_ATOMIC | BPF_DW, base, register, offset, BPF_ADD)
    }
    /// `rD = *(u8 *)(rB + offset)`
    static func load8(_ destination: UInt8, _ base: UInt8, _ offset: Int16) -> bpf_insn {
        bpf_insn(BPF_LDX | BPF_MEM | BPF_B, destination, base, offset)
    }
    /// `if rD == value goto +offset`
    static func jump(if register: UInt8, equals value: Int32, _ offset: Int16) -> bpf_insn {
        bpf_insn(BPF_JMP | BPF_JEQ | BPF_K, register, 0, offset, value)
    }
    /// `goto +offset`
    static func jump(_ offset: Int16) -> bpf_insn { bpf_insn(BPF_JMP | BPF_JA, 0, 0, offset) }
    /// A helper's call.
    static func helper(_ id: bpf_func_id) -> bpf_insn { bpf_insn(BPF_JMP | BPF_CALL, 0, 0, 0, Int32(id.rawValue)) }
    /// A call to a function of the same program, `distance` instructions behind the next one.
    static func call(_ distance: Int32) -> bpf_insn { bpf_insn(BPF_JMP | BPF_CALL, 0, UInt8(BPF_PSEUDO_CALL), 0, distance) }
    /// A call to an import, which is verified as the case that runs has it.
    static func call(import type: Int32, slot: Int16 = 0) -> bpf_insn {
        let kind = Mode.verification == .chain ? BPFLINK_PSEUDO_PROG_BODY : BPFLINK_PSEUDO_PROG_CALL
        return bpf_insn(BPF_JMP | BPF_CALL, 0, UInt8(kind), slot, type)
    }
    static let exit = bpf_insn(BPF_JMP | BPF_EXIT)

    /// `rD = the map`, two slots wide
    static func map(_ destination: UInt8, descriptor: CInt) -> [bpf_insn] {
        [bpf_insn(BPF_LD | BPF_IMM | BPF_DW, destination, UInt8(BPF_PSEUDO_MAP_FD), 0, descriptor), bpf_insn(0)]
    }
    /// `rD = the map in an fd_array slot`, two slots wide
    static func map(_ destination: UInt8, slot: Int32) -> [bpf_insn] {
        [bpf_insn(BPF_LD | BPF_IMM | BPF_DW, destination, UInt8(BPF_PSEUDO_MAP_IDX), 0, slot), bpf_insn(0)]
    }
    /// `rD = &value of the array map in an fd_array slot`, two slots wide
    static func mapValue(_ destination: UInt8, slot: Int32) -> [bpf_insn] {
        [bpf_insn(BPF_LD | BPF_IMM | BPF_DW, destination, UInt8(BPF_PSEUDO_MAP_IDX_VALUE), 0, slot), bpf_insn(0)]
    }
    /// `r0 = the packet's byte at an offset` (BPF_LD_ABS); the context is in r6
    static func loadPacketByte(_ offset: Int32) -> bpf_insn { bpf_insn(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, offset) }
    /// `goto rD`
    static func jump(to register: UInt8) -> bpf_insn { bpf_insn(BPF_JMP | BPF_JA | BPF_X, register) }
    /// A call to a kernel function, of the module whose type information is in an fd_array slot.
    static func call(kernelFunction type: Int32, slot: Int16) -> bpf_insn {
        bpf_insn(BPF_JMP | BPF_CALL, 0, UInt8(BPF_PSEUDO_KFUNC_CALL), slot, type)
    }
    /// `rD = &value of an array map + offset`, two slots wide
    static func mapValue(_ destination: UInt8, descriptor: CInt, offset: Int32 = 0) -> [bpf_insn] {
        [
            bpf_insn(BPF_LD | BPF_IMM | BPF_DW, destination, UInt8(BPF_PSEUDO_MAP_VALUE), 0, descriptor),
            bpf_insn(0, 0, 0, 0, offset),
        ]
    }
}

extension bpf_insn {
    /// `rD = value`, two slots wide
    static func wide(_ destination: UInt8, _ value: Int32) -> [bpf_insn] {
        [bpf_insn(BPF_LD | BPF_IMM | BPF_DW, destination, 0, 0, value), bpf_insn(0)]
    }
}
