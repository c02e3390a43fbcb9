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

    @Test(.enabled(if: geteuid() == 0, "loading needs root"))
    func anyKernelTakesAnImporterWhoseWeakImportStaysUnresolved() throws {
        let opened = try OpenObject(link(Object(fixture: "weak")).rewrittenObject())
        try opened.load()
        #expect(try opened.run("filter") == 7)
    }

    @Test(.enabled(if: geteuid() == 0, "loading needs root"))
    func aPoisonedCallIsRefusedByItsNumber() throws {
        let opened = try OpenObject(link(Object(fixture: "weak_call")).rewrittenObject())
        let program = try opened.program("filter")
        var log = [CChar](repeating: 0, count: 65_536)
        let loaded = log.withUnsafeMutableBufferPointer { log in
            bpf_program__set_log_buf(program, log.baseAddress, log.count)
            return bpf_object__load(opened.handle)
        }
        #expect(loaded != 0)
        let text = String(decoding: log.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        #expect(text.contains("invalid func unknown#\(Poison.immediate(forImport: 0))"))
    }

    @Test func rewritingTwiceChangesNothingMore() throws {
        let once = try link(Object(fixture: "subprog")).rewrittenObject()
        let object = try Object(bytes: once, name: "subprog.bpf.o")
        #expect(object.entryPrograms.map(\.name) == ["subprog"])
        #expect(try link(object).rewrittenObject() == once)
        let source = try Object(fixture: "subprog")
        #expect(object.exports.map { "\($0.prototype)" } == source.exports.map { "\($0.prototype)" })
    }

    @Test func aLibraryThatImportsIsBoundAndGetsItsEntry() throws {
        let plan = try link(Object(fixture: "library_on_library"), libraries: [ProviderSnapshot(fixture: "subprog")])
        let entry = try #require(plan.syntheticEntry)
        let opened = try OpenObject(plan.rewrittenObject())
        #expect(opened.instructions(of: try opened.program(entry.name)).count == entry.instructionCount)
    }
}
