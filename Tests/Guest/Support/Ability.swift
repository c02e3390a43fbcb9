// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CBPFLinkUAPI
import CLibbpf
import Glibc

/// Something that a patch of the series gives to the kernel. A kernel between the patches has some of them.
struct Ability: Sendable {
    let name: String
    /// What kernels without it say, one of these; "" is an error number and no words.
    let refusals: [String]
    /// Uses it, and checks the effect.
    /// - Throws: ``RawProgram/Refusal`` or ``Missing`` if the kernel does not have it; anything else if it has it wrong.
    let use: @Sendable () throws -> Void

    /// What it builds upon is not there, or the kernel takes what it is given and does nothing about it.
    struct Missing: Error {}

    init(_ name: String, without refusals: String..., use: @escaping @Sendable () throws -> Void) {
        (self.name, self.refusals, self.use) = (name, refusals, use)
    }

    /// Whether the running kernel has it.
    /// - Throws: ``Failure`` if it neither does what it should, nor refuses as a kernel without it or without what it builds upon.
    func isPresent() throws -> Bool {
        do {
            try use()
            return true
        } catch is Missing {
            return false
        } catch let error as RawProgram.Refusal {
            let before = Ability.all.prefix { $0.name != name }.flatMap(\.refusals)
            let isOld = (before + refusals).contains { $0.isEmpty ? error.log.isEmpty : error.log.contains($0) }
            try expect(
                isOld && [EINVAL, EOPNOTSUPP].contains(error.error),
                "it does not work, and the refusal is not that of a kernel without it: \(error)")
            return false
        }
    }

    /// In the order of the series: a kernel that has one has all before it.
    static let all = [
        Ability("extern_functions", without: "Invalid func linkage") {
            var program = try RawProgram.typed()
            _ = try program.extern("answer")
            program.instructions = [.set(0, 3), .exit]
            try expectEqual(try program.load().run(), 3, "result of a program whose types have an extern function")
        },
        Ability("exports", without: "") {
            func library(_ body: [bpf_insn]) throws -> OwnedDescriptor {
                var program = try RawProgram.library()
                try program.add("answer", body)
                return try program.load()
            }
            try expectEqual(
                try library([.set(0, 3), .exit]).opened().info.functions.count, 2, "functions, an uncalled one among them")
            try expectRefusal("R2 !read_ok") { _ = try library([.load(0, 2, 0), .exit]) }
        },
        Ability("programs_in_fd_array", without: "is not pointing to valid bpf_map or btf") {
            let provider = try answering()
            var program = RawProgram.nothing
            program.slots = [provider]
            let importer = try program.load()
            try expectEqual(try importer.run(), 0, "result of a program that names another one and does not call it")
        },
        Ability("calls", without: "BPF_CALL uses reserved fields", "JIT does not support calling other programs") {
            try expectEqual(try Raw.importer(from: try answering()).load().run(), 42, "result of the imported function")
        },
        Ability("shared_code", without: "") {
            // In code with blinded constants nothing is the same.
            let isBlinded = try readFile("/proc/sys/net/core/bpf_jit_harden") != "0\n"
            var program = try RawProgram.typed()
            program.flags = BPFLINK_F_SHARE_SUBPROGS
            program.instructions = [.call(1), .exit]
            try program.add("answer", linkage: BTF_FUNC_STATIC, [.set(0, 42), .exit])
            let programs = try [program, program].map { try $0.load() }
            let code = try programs.map { try $0.opened().info.jitedSymbols[1] }
            try expect(isBlinded || code[0] == code[1], "two programs have \(code) for the same function")
            try expectEqual(try programs[1].run(), 42, "result of the shared function")
        },
        Ability("other_kinds_of_programs", without: "it was verified for another kind of program") {
            let importer = try Raw.importer(from: try answering(), type: BPF_PROG_TYPE_XDP).load()
            try expectEqual(try importer.run(), 42, "result in a program of another type")
        },
        Ability("named_contexts", without: "size cannot be determined", "has unsupported set of tags") {
            var program = try RawProgram.library()
            let types = try require(program.types, "types")
            try program.add(
                "take", taking: [try types.pointer(to: 0)],
                [.jump(if: 1, equals: 0, 2), .set(0, 1), .exit, .set(0, 2), .exit])
            try types.tag("ctx:xdp", function: program.functions[1].type, parameter: 0)
            let provider = try program.load()
            var importer = try RawProgram.typed(type: BPF_PROG_TYPE_XDP)
            let context = try require(importer.types, "types").pointer(to: 0)
            importer.instructions = [.call(import: try importer.extern("take", [context])), .exit]
            importer.slots = [provider]
            try expectEqual(try importer.load().run(), 1, "result with the context of an XDP program")
        },
        Ability("bodies", without: "") {
            var keeper = try RawProgram.keeper()
            try keeper.add("answer", linkage: BTF_FUNC_STATIC, [.set(0, 42), .exit])
            var program = try RawProgram.typed(type: BPF_PROG_TYPE_XDP)
            program.instructions = [.call(body: try program.extern("answer")), .exit]
            program.slots = [try keeper.load()]
            try expectEqual(try program.load().run(), 42, "result of the function that was verified with the program")
        },
        Ability("information") {
            let info = try answering().opened().info
            if info.exports.isEmpty { throw Missing() }
            try expectEqual(info.exports.map(\.functionIndex), [1], "exports that the kernel tells of")
        },
    ]
}

/// A provider of `int answer(void)`, of which nothing is asked but that it is there.
private func answering() throws -> OwnedDescriptor {
    var program = try RawProgram.library()
    try program.add("answer", [.set(0, 42), .exit])
    return try program.load()
}
