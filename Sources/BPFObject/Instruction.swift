// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// One 8-byte instruction slot (`struct bpf_insn`; RFC 9669, section 3).
public struct Instruction: Hashable, Sendable {
    /// Bytes of one slot.
    public static let size = 8

    public var opcode: UInt8
    public var destination: UInt8
    public var source: UInt8
    public var offset: Int16
    public var immediate: Int32

    public init(opcode: UInt8, destination: UInt8 = 0, source: UInt8 = 0, offset: Int16 = 0, immediate: Int32 = 0) {
        self.opcode = opcode
        self.destination = destination
        self.source = source
        self.offset = offset
        self.immediate = immediate
    }

    /// `BPF_JMP | BPF_CALL`.
    public static let callOpcode: UInt8 = 0x85
    /// `BPF_LD | BPF_IMM | BPF_DW`, the first slot of a two-slot load.
    public static let wideLoadOpcode: UInt8 = 0x18

    /// `src_reg` of a call to a subprogram of the same program (`BPF_PSEUDO_CALL`).
    public static let pseudoCall: UInt8 = 1
    /// `src_reg` of a load of a map by its descriptor (`BPF_PSEUDO_MAP_FD`).
    public static let pseudoMap: UInt8 = 1
    /// `src_reg` of a load of an address in a map's only value (`BPF_PSEUDO_MAP_VALUE`): the second slot has the offset.
    public static let pseudoMapValue: UInt8 = 2
    /// `src_reg` of a call to an export of another program (`BPF_PSEUDO_PROG_CALL`): `offset` is the `fd_array` slot of
    /// the provider and `immediate` the BTF id of the extern function in the caller's own BTF.
    public static let pseudoProgramCall: UInt8 = 3
    /// The same of a call to a function that the provider keeps (`BPF_PSEUDO_PROG_BODY`), which is verified with the caller.
    public static let pseudoProgramBody: UInt8 = 4
    /// `src_reg` of a load of a subprogram's address (`BPF_PSEUDO_FUNC`).
    public static let pseudoFunction: UInt8 = 4

    public var isCall: Bool { opcode == Self.callOpcode }
    public var isWideLoad: Bool { opcode == Self.wideLoadOpcode }

    /// `r0 = 0`.
    public static let zeroResult = Instruction(opcode: 0xb7)
    /// `exit`.
    public static let exit = Instruction(opcode: 0x95)
}

extension Instruction: CustomStringConvertible {
    /// The fields by name, e.g. `call src=3 off=0 imm=12`; the disassembly of the whole set is `llvm-objdump`'s affair.
    public var description: String {
        let name =
            switch opcode {
            case Self.callOpcode: "call"
            case Self.wideLoadOpcode: "ld_imm64 r\(destination)"
            case 0x95: "exit"
            default: "insn 0x" + String(opcode, radix: 16) + " dst=\(destination)"
            }
        return "\(name) src=\(source) off=\(offset) imm=\(immediate)"
    }
}
