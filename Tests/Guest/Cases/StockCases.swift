// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CBPFLinkUAPI
import CLibbpf
import Glibc
import SystemPackage

/// On a kernel without the patches: everything new is refused cleanly, and bpflink says what is missing.
let stockCases: [Case] = [
    Case("stock.feature_is_absent") {
        try expectEqual(Features.functionCalls(), .absent, "answer of the probe")
    },
    Case("stock.library_is_refused_by_name_of_the_feature") {
        do {
            _ = try library("subprog")
            throw Failure("the library was loaded")
        } catch let error as KernelError {
            try expectEqual(error.code, .feature, "code of the error")
            try expect(
                error.message.hasPrefix("kernel lacks FD + name calls; boot one with"), "the message is: \(error.message)")
        }
    },
    Case("stock.object_without_imports_is_loaded") {
        try expectEqual(try load("plain").programs.count, 1, "programs")
        try expectEqual(try load("weak").run(), 7, "result without the weak import")
    },
    Case("stock.export_flag_is_unknown") {
        var program = RawProgram.nothing
        program.flags = BPFLINK_F_EXPORT_SUBPROGS
        try expectOldRefusal(program, EINVAL, log: "")
    },
    Case("stock.call_is_unknown") {
        var program = RawProgram.nothing
        program.instructions.insert(.call(import: 1), at: 0)
        try expectOldRefusal(program, EINVAL, log: "BPF_CALL uses reserved fields")
    },
    Case("stock.program_in_the_table_is_unknown") {
        let other = try RawProgram.nothing.load()
        var program = RawProgram.nothing
        program.slots = [other]
        try expectOldRefusal(program, EINVAL, log: "fd \(other.number) is not pointing to valid bpf_map or btf")
    },
    Case("stock.extern_function_is_unknown") {
        var program = try RawProgram.typed()
        _ = try program.extern("answer")
        program.instructions = RawProgram.nothing.instructions
        try expectOldRefusal(program, EINVAL, log: "Invalid func linkage")
    },
]

private func expectOldRefusal(_ program: RawProgram, _ error: CInt, log: String) throws {
    do {
        _ = try program.load()
        throw Failure("it was accepted")
    } catch let refusal as RawProgram.Refusal {
        try expectEqual(refusal.error, error, "error number")
        try expect(log.isEmpty ? refusal.log.isEmpty : refusal.log.contains(log), "the log lacks `\(log)`: \(refusal.log)")
    }
}
