// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFLinker
import BPFObject
import CLibbpf
import Glibc
import TestFixtures
import Testing

/// Rewritten objects as libbpf sees them.
@Suite struct RewriteTests {
    @Test func anObjectWithNothingToChangeStaysAsItIs() throws {
        let object = try Object(fixture: "plain")
        #expect(try link(object).rewrittenObject() == object.bytes)
    }

    @Test(arguments: ["import_kprobe", "import_tracepoint", "import_cgroup", "import_xdp", "import_tc", "import_socket"])
    func libbpfOpensALinkedImporter(name: String) throws {
        let object = try Object(fixture: name)
        let plan = try link(object, libraries: [ProviderSnapshot(fixture: "subprog")])
        let opened = try OpenObject(plan.rewrittenObject())
        let entry = try #require(object.entryPrograms.first)
        let instructions = opened.instructions(of: try opened.program(entry.name))
        for fixup in plan.fixups where fixup.sectionName == entry.sectionName {
            let instruction = instructions[fixup.instruction.value]
            #expect(instruction.code == fixup.after.opcode)
            #expect(instruction.src_reg == 3)
            #expect(instruction.off == fixup.after.offset)
            #expect(instruction.imm == fixup.after.immediate)
        }
    }

    @Test func libbpfOpensALibraryWithItsEntry() throws {
        let plan = try link(Object(fixture: "subprog"))
        let entry = try #require(plan.syntheticEntry)
        let opened = try OpenObject(plan.rewrittenObject())
        let program = try opened.program(entry.name)
        #expect(bpf_program__type(program) == BPF_PROG_TYPE_SOCKET_FILTER)
        #expect(opened.instructions(of: program).count == entry.instructionCount)
    }

    @Test(.enabled(if: geteuid() == 0, "loading needs root"))
    func theKernelTakesALibraryWithItsEntryAndLibbpfBringsEveryFunction() throws {
        let object = try Object(fixture: "subprog")
        let plan = try link(object, options: LinkOptions(entrySection: LibbpfLoad.section))
        let entry = try #require(plan.syntheticEntry)
        let prepared = try LibbpfLoad(plan.rewrittenObject(), hiding: object.exports).prepared
        let code = object.functions.reduce(0) { $0 + $1.instructions.upperBound.value - $1.instructions.lowerBound.value }
        #expect(prepared.instructionCount == entry.instructionCount + code)
        #expect(prepared.functionCount == object.functions.count + 1)
        #expect(prepared.lineCount > prepared.functionCount)
    }
}
