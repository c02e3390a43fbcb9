// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFLinker
import BPFObject
import CLibbpf
import Glibc
import TestFixtures
import Testing

/// Rewritten objects as libbpf and the running kernel see them.
///
/// libbpf's tables have no locks, and other suites use them, too: whoever calls libbpf does so in a process of its own.
@Suite struct RewriteTests {
    @Test func anObjectWithNothingToChangeStaysAsItIs() throws {
        let object = try Object(fixture: "plain")
        #expect(try link(object).rewrittenObject() == object.bytes)
    }

    @Test func rewritingTwiceChangesNothingMore() throws {
        let once = try link(Object(fixture: "subprog")).rewrittenObject()
        let object = try Object(bytes: once, name: "subprog.bpf.o")
        #expect(object.entryPrograms.map(\.name) == ["subprog"])
        #expect(try link(object).rewrittenObject() == once)
        let source = try Object(fixture: "subprog")
        #expect(object.exports.map { "\($0.prototype)" } == source.exports.map { "\($0.prototype)" })
    }

    /// A table of relocations that goes by the name of a section with contents becomes shorter; nothing was read through it.
    @Test func aTableIsNotTheSectionThatItsNameSays() throws {
        let whole = try Object(fixture: "import_socket")
        let name = try header("license", in: whole)
        let object = try damaged(whole, at: try header(".relsocket", in: whole), Array(whole.bytes[name..<(name + 4)]))
        #expect(object.sections.filter { $0.name == "license" }.count == 2)
        #expect(object.license == whole.license)
        let written = try link(object, libraries: [ProviderSnapshot(fixture: "subprog")]).rewrittenObject()
        #expect(try Object(bytes: written, name: "written").license == whole.license)
    }

    /// Relocations of a section that is written anew patch what is elsewhere, or not there any more.
    @Test func relocationsOfRewrittenSectionsGo() throws {
        let whole = try Object(fixture: "subprog")
        // .BTF.ext becomes a part of what a program sees (sh_flags), and has no lines (line_info_len).
        let visible = try damaged(whole, at: try header(".BTF.ext", in: whole) + 8, [3])
        let ext = try #require(whole.sections.first { $0.name == ".BTF.ext" })
        let object = try damaged(visible, at: ext.offset.value + 20, [0, 0, 0, 0])
        let written = try Object(bytes: link(object).rewrittenObject(), name: "written")
        #expect(try #require(written.sections.first { $0.name == ".BTF.ext" }).size < ext.size)
        #expect(try #require(written.sections.first { $0.name == ".rel.BTF.ext" }).size == 0)
    }

    /// A section's symbol that stands for another place than its start is not what functions are found by.
    @Test func symbolsOfSectionsStandForTheirStart() throws {
        let whole = try Object(fixture: "chain")
        let text = try #require(whole.symbols.first { $0.kind == .section && whole.sections[Int($0.sectionNumber)].name == ".text" })
        let table = try #require(whole.sections.first { $0.name == ".symtab" })
        let object = try damaged(whole, at: table.offset.value + text.index.value * 24 + 8, [0xf1, 0xff])
        var options = LinkOptions()
        options.shares = true
        options.kernelHasBodies = true
        let plan = try link(object, options: options)
        #expect(plan.syntheticEntry?.functions.contains("count_at") == true)
        let written = try Object(bytes: plan.rewrittenObject(), name: "written")
        #expect(written.functions.map(\.name).contains("count_at"))
    }

    /// The object with other bytes at a place of its file.
    private func damaged(_ object: Object, at position: Int, _ bytes: [UInt8]) throws -> Object {
        var file = object.bytes
        file.replaceSubrange(position..<(position + bytes.count), with: bytes)
        return try Object(bytes: file, name: "damaged")
    }

    /// Where in its file an object has the header of a section.
    private func header(_ name: String, in object: Object) throws -> Int {
        let table = (0..<8).reduce(0) { $0 | Int(object.bytes[40 + $1]) << (8 * $1) }
        return table + 64 * (try #require(object.sections.first { $0.name == name })).index.value
    }

    @Test(arguments: [
        "import_kprobe", "import_tracepoint", "import_cgroup", "import_xdp", "import_tc", "import_socket", "externs",
    ])
    func libbpfOpensALinkedImporter(name: String) async {
        await #expect(processExitsWith: .success) { [name] in
            let object = try Object(fixture: name)
            let plan = try link(object, libraries: [ProviderSnapshot(fixture: "subprog")])
            let opened = try OpenObject(plan.rewrittenObject())
            let entry = try #require(object.entryPrograms.first)
            let instructions = opened.instructions(of: try opened.program(entry.name))
            let fixups = plan.fixups.filter { $0.sectionName == entry.sectionName }
            #expect(!fixups.isEmpty)
            for fixup in fixups {
                let instruction = instructions[fixup.instruction.value]
                #expect(instruction.code == fixup.after.opcode)
                #expect(instruction.src_reg == 3)
                #expect(instruction.off == fixup.after.offset)
                #expect(instruction.imm == fixup.after.immediate)
            }
        }
    }

    @Test(arguments: ["subprog", "library_on_library", "core"])
    func libbpfOpensALibraryWithItsEntry(name: String) async {
        await #expect(processExitsWith: .success) { [name] in
            let plan = try link(Object(fixture: name), libraries: [ProviderSnapshot(fixture: "subprog")])
            let entry = try #require(plan.syntheticEntry)
            let opened = try OpenObject(plan.rewrittenObject())
            let program = try opened.program(entry.name)
            #expect(bpf_program__type(program) == BPF_PROG_TYPE_SOCKET_FILTER)
            #expect(opened.instructions(of: program).count == entry.instructionCount)
        }
    }

    @Test(.enabled(if: geteuid() == 0, "loading needs root"))
    func theKernelTakesALibraryWithItsEntryAndLibbpfBringsEveryFunction() async throws {
        try await KernelLock.hold {
            await #expect(processExitsWith: .success) {
                let object = try Object(fixture: "subprog")
                let plan = try link(object, options: LinkOptions(entrySection: LibbpfLoad.section))
                let entry = try #require(plan.syntheticEntry)
                let prepared = try LibbpfLoad(plan.rewrittenObject(), hiding: object.exports).prepared
                let code = object.functions.reduce(0) { $0 + $1.instructions.upperBound.value - $1.instructions.lowerBound.value }
                #expect(prepared.immediates.count == entry.instructionCount + code)
                #expect(prepared.functionCount == object.functions.count + 1)
                #expect(prepared.lineCount > prepared.functionCount)
            }
        }
    }

    @Test(.enabled(if: geteuid() == 0 && access("/sys/kernel/btf/vmlinux", R_OK) == 0, "needs root and the kernel's BTF"))
    func libbpfRelocatesTheFieldsThatALibraryReads() async throws {
        try await KernelLock.hold {
            await #expect(processExitsWith: .success) {
                let object = try Object(fixture: "core")
                let plan = try link(object, options: LinkOptions(entrySection: LibbpfLoad.section))
                let entry = try #require(plan.syntheticEntry)
                let prepared = try LibbpfLoad(plan.rewrittenObject(), hiding: object.exports).prepared
                let function = try #require(object.functions.first)
                let indices = function.instructions.lowerBound.value..<function.instructions.upperBound.value
                let immediates = indices.compactMap { object.instruction(InstructionIndex($0), of: function.section)?.immediate }
                let relocated = Array(prepared.immediates.dropFirst(entry.instructionCount))
                // The object says 0 and 4; no kernel's task_struct begins with pid and tgid.
                #expect(immediates.count == relocated.count)
                #expect(immediates != relocated)
            }
        }
    }

    @Test(.enabled(if: geteuid() == 0, "loading needs root"))
    func anyKernelTakesAnImporterWhoseWeakImportStaysUnresolved() async throws {
        try await KernelLock.hold {
            await #expect(processExitsWith: .success) {
                let opened = try OpenObject(link(Object(fixture: "weak")).rewrittenObject())
                try opened.load()
                #expect(try opened.run("filter") == 7)
            }
        }
    }

    @Test(.enabled(if: geteuid() == 0, "loading needs root"))
    func aPoisonedCallIsRefusedByItsNumber() async throws {
        try await KernelLock.hold {
            await #expect(processExitsWith: .success) {
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
        }
    }
}
