// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import BPFLinker
import CBPFLinkUAPI
import CLibbpf
import Glibc

/// One verified and compiled body, called by all: what the kernel's own records of the programs say.
let imageCases: [Case] = [
    Case("image.direct_calls_to_one_address", unblinded: true) {
        let provider = try library("subprog")
        let address = try provider.address(of: "bpf_subprog")
        let importers = try ["import_kprobe", "import_tracepoint", "import_cgroup", "import_xdp", "import_tc"].map {
            try load($0, from: [provider])
        }
        for importer in importers {
            try expectEqual(
                try directCalls(in: importer, to: address), 1, "direct calls of bpf_subprog in \(importer.programs[0].name)")
        }
        let several = try load("import_socket", from: [provider])
        try expectEqual(try directCalls(in: several, to: address), 2, "direct calls of bpf_subprog in import_socket")
        try expectEqual(
            try directCalls(in: several, to: try provider.address(of: "bpf_subprog_scale")), 1,
            "direct calls of the other function")
        try expectEqual(
            try directCalls(in: several, to: try provider.address(of: "bpf_subprog_total")), 0,
            "direct calls of one not imported")
    },
    Case("image.one_symbol_however_many_importers", unblinded: true) {
        let provider = try library("subprog")
        let importers = try ["import_xdp", "import_tc", "import_socket", "import_xdp"].map { try load($0, from: [provider]) }
        let symbols = try readFile("/proc/kallsyms").split(separator: "\n").filter { $0.contains("_bpf_subprog\t") }
        try expectEqual(symbols.count, 1, "symbols of bpf_subprog with \(importers.count) importers: \(symbols)")
        let address = UInt64(symbols[0].prefix { $0 != " " }, radix: 16)
        try expectEqual(address, try provider.address(of: "bpf_subprog"), "address of bpf_subprog")
    },
    Case("image.body_is_not_verified_again") {
        var sizes: [UInt32] = []
        var bodies: [UInt32] = []
        for length in [1, 3000] {
            var program = try RawProgram.library()
            try program.add("answer", [.set(0, 42)] + Array(repeating: .add(0, 0), count: length) + [.exit])
            let provider = try Provider(try program.load())
            bodies.append(provider.info.verifiedInstructions)
            let importer = try Provider(try Raw.importer(from: provider).load())
            sizes.append(importer.info.verifiedInstructions)
        }
        try expect(bodies[1] >= bodies[0] + 2999, "the library's own verified instructions are \(bodies)")
        try expectEqual(sizes, [2, 2], "verified instructions of importers of a small and of a large function")
    },
    Case("image.translated_call_names_the_import") {
        let provider = try Raw.answering()
        var program = try RawProgram.typed()
        let types = try require(program.types, "types")
        _ = try types.pointer(to: types.long)
        let first = try program.extern("answer")
        let second = try program.extern("answer")
        let other = try makeMap()
        program.instructions = [
            .call(import: second, slot: 2), .call(import: first, slot: 2), .call(import: second, slot: 1), .exit,
        ]
        program.slots = [other, provider, provider]
        let importer = try program.load()
        let opened = try importer.opened()
        let calls = try translated(opened).filter { $0.code == UInt8(BPF_JMP | BPF_CALL) }
        try expectEqual(calls.map { $0.src_reg }, [3, 3, 3], "src_reg of the calls")
        try expectEqual(calls.map { $0.off }, [0, 1, 0], "off of the calls, which is the import's index")
        try expectEqual(calls.map { $0.imm }, [second, first, second], "imm of the calls, which is the extern function")
        try expectEqual(opened.info.imports.map(\.programID), [provider.info.id, provider.info.id], "providers")
        try expectEqual(
            opened.info.imports.map(\.typeID), Array(repeating: provider.info.exports[0].typeID, count: 2), "functions")
        try expectEqual(
            opened.info.imports.map(\.image?.address), Array(repeating: try provider.address(of: "answer"), count: 2), "code")
        try expectEqual(try importer.run(), 42, "result")
    },
    Case("image.tag_does_not_depend_on_the_provider") {
        let importers = try (0..<2).map { try Provider(try Raw.importer(from: try Raw.answering(Int32($0))).load()) }
        try expectEqual(importers[0].info.tag, importers[1].info.tag, "tag of two importers of different programs")
    },
    Case("image.one_name_from_two_providers") {
        var program = try RawProgram.typed()
        let answer = try program.extern("answer")
        program.instructions = [
            .call(import: answer, slot: 0), .copy(6, 0), .call(import: answer, slot: 1), .sum(0, 6), .exit,
        ]
        program.slots = [try Raw.answering(40), try Raw.answering(2)]
        try expectEqual(try program.load().run(), 42, "the sum of both answers")
    },
    Case("image.exports_and_costs") {
        // leaf: 64 bytes; middle: 32 and leaf; lone: none.
        var program = try RawProgram.library()
        try program.add("leaf", [.set(0, 1), .store(10, -64, value: 0), .exit])
        try program.add("lone", [.set(0, 2), .exit])
        try program.add("middle", [.store(10, -32, value: 0), .call(-7), .exit])
        let provider = try Provider(try program.load())
        let names = try provider.program.exports().map(\.name)
        try expectEqual(names, ["leaf", "lone", "middle"], "exports")
        try expectEqual(provider.info.exports.map(\.functionIndex), [1, 2, 3], "function indices")
        try expectEqual(provider.info.exports.map(\.stackDepth), [64, 0, 96], "stack bytes of the chains")
        try expectEqual(provider.info.exports.map(\.frames), [1, 1, 2], "frames of the chains")
        var upper = try RawProgram.library("upper")
        let middle = try upper.extern("middle")
        try upper.add("top", [.store(10, -16, value: 0), .call(import: middle), .exit])
        upper.slots = [provider]
        let info = try Provider(try upper.load()).info
        try expectEqual(info.exports.map(\.stackDepth), [112], "stack bytes through two programs")
        try expectEqual(info.exports.map(\.frames), [3], "frames through two programs")
    },
    Case("image.fdinfo") {
        var library = try RawProgram.library()
        try library.add("answer", [.set(0, 1), .exit])
        let raw = try library.load()
        let provider = try Provider(raw)
        try expect(
            try readFile("/proc/self/fdinfo/\(provider.number)").contains("\nexport:\tanswer\n"), "fdinfo shows no export")
        let importer = try Raw.importer(from: provider).load()
        let text = try readFile("/proc/self/fdinfo/\(importer.number)")
        try expect(text.contains("\nimport:\t\(provider.info.id) answer\n"), "fdinfo shows no import: \(text)")
    },
    Case("image.info_checks_record_sizes") {
        let provider = try Raw.answering()
        for size: UInt32 in [8, 12, 24] {
            var info = bpflink_prog_info()
            info.export_rec_size = size
            try expectEqual(infoResult(provider.number, &info), -EINVAL, "info with export_rec_size \(size)")
            info = bpflink_prog_info()
            info.import_rec_size = size == 12 ? 16 : size
            try expectEqual(infoResult(provider.number, &info), -EINVAL, "info with import_rec_size \(info.import_rec_size)")
            info = bpflink_prog_info()
            info.environment_rec_size = size
            try expectEqual(infoResult(provider.number, &info), -EINVAL, "info with environment_rec_size \(size)")
        }
        var info = bpflink_prog_info()
        info.nr_exports = 1
        try expectEqual(infoResult(provider.number, &info), -EINVAL, "info with room for exports of no size")
        info.export_rec_size = 16
        try expectEqual(infoResult(provider.number, &info), -EFAULT, "info with exports at address 0")
    },
    Case("image.info_fills_no_more_than_there_is_room") {
        var program = try RawProgram.library()
        for name in ["a", "b", "c"] { try program.add(name, [.set(0, 0), .exit]) }
        let provider = try Provider(try program.load())
        let nothing = bpflink_prog_export(type_id: 99, func_idx: 99, stack_depth: 99, nr_frames: 99)
        var records = [bpflink_prog_export](repeating: nothing, count: 3)
        var info = bpflink_prog_info()
        info.nr_exports = 2
        info.export_rec_size = 16
        let result = records.withUnsafeMutableBytes { bytes in
            info.exports = UInt64(UInt(bitPattern: bytes.baseAddress))
            return infoResult(provider.number, &info)
        }
        try expectEqual(result, 0, "result")
        try expectEqual(info.nr_exports, 3, "number of exports")
        try expectEqual(records.map(\.func_idx), [1, 2, 99], "function indices in the room for two")
    },
    Case("image.info_twice_for_who_knows_nothing_of_exports") {
        // What the kernel wrote the first time is given to it the second: nothing of it is where the caller has no member.
        let provider = try Raw.answering()
        var info = bpflink_prog_info()
        let known = try require(MemoryLayout<bpflink_prog_info>.offset(of: \.exports), "offset")
        for _ in 0..<2 {
            var size = UInt32(known)
            try expectEqual(bpf_obj_get_info_by_fd(provider.number, &info, &size), 0, "result")
            try expectEqual(Int(size), known, "bytes that the kernel wrote")
            info.nr_map_ids = 0
            info.nr_jited_ksyms = 0
            info.nr_jited_func_lens = 0
            info.nr_func_info = 0
            info.nr_line_info = 0
            info.nr_jited_line_info = 0
            info.nr_prog_tags = 0
            info.jited_prog_len = 0
            info.xlated_prog_len = 0
        }
    },
    Case("image.info_without_privilege_tells_nothing") {
        let provider = try Raw.answering()
        let importer = try Raw.importer(from: provider).load()
        for program in [provider.number, importer.number] {
            var info = bpflink_prog_info()
            try withCapabilities([]) { try expectEqual(infoResult(program, &info), 0, "result") }
            try expect(info.id != 0, "not even the id is told")
            try expectEqual(info.nr_exports + info.nr_imports, 0, "exports and imports told without CAP_BPF")
        }
        withExtendedLifetime(importer) {}
    },
    Case("image.log_tells_what_is_imported") {
        let provider = try Raw.answering()
        let log = try Raw.importer(from: provider).loadWithLog(level: 2).log
        let words = "answer() of prog \(provider.info.id) (lib) is imported and known to be valid."
        try expect(log.contains(words), "the log lacks `\(words)`: \(log)")
    },
    Case("image.refuse.context_of_a_traced_export") {
        // An importer of another type has no such context: what it passes as one may be any memory. Not so in a program without exports.
        func traceProgram(_ flags: UInt32) throws {
            var traced = try RawProgram.typed(type: BPF_PROG_TYPE_SCHED_CLS)
            let types = try require(traced.types, "types")
            let context = try types.pointer(to: try types.structure("__sk_buff", members: ["len"]))
            traced.flags = flags
            traced.instructions = [.call(1), .exit]
            try traced.add("look", taking: [context], [.set(0, 2), .exit])
            var tracer = RawProgram()
            tracer.type = BPF_PROG_TYPE_TRACING
            tracer.attachType = BPF_TRACE_FENTRY.rawValue
            let program = try traced.load()
            tracer.attachProgram = program.number
            tracer.attachTypeID = traced.functions[1].type
            tracer.instructions = [.load(6, 1, 0), .load32(0, 6, 104), .set(0, 0), .exit]
            _ = try withExtendedLifetime(program) { try tracer.load() }
        }
        try traceProgram(0)
        try expectRefusal("R6 invalid mem access 'scalar'") { try traceProgram(BPFLINK_F_EXPORT_SUBPROGS) }
    },
] + [("entry", BPF_TRACE_FENTRY), ("exit", BPF_TRACE_FEXIT)].map { (place: String, attach: bpf_attach_type) in
    Case("image.traced_at_\(place)_for_all_importers", unblinded: true) {
        let provider = try Raw.answering(type: BPF_PROG_TYPE_XDP)
        let map = try makeMap()
        var tracer = RawProgram()
        tracer.type = BPF_PROG_TYPE_TRACING
        tracer.attachType = attach.rawValue
        tracer.attachProgram = provider.number
        tracer.attachTypeID = provider.info.exports[0].typeID
        tracer.instructions =
            bpf_insn.mapValue(1, descriptor: map.number)
            + [.load(2, 1, 0), .add(2, 1), .store(1, 0, register: 2), .set(0, 0), .exit]
        let program = try tracer.load()
        let importers = try [BPF_PROG_TYPE_SOCKET_FILTER, BPF_PROG_TYPE_SCHED_CLS].map {
            try Raw.importer(from: provider, type: $0).load()
        }
        let calls = try mapID(map)
        for importer in importers { try importer.run() }
        try expectEqual(try element(ofMap: calls), 0, "calls seen before the tracer is attached")
        do {
            let link = try OwnedDescriptor(bpf_raw_tracepoint_open(nil, program.number), "the tracer's link")
            for importer in importers { try expectEqual(try importer.run(), 42, "result of a traced function") }
            try withExtendedLifetime(link) {
                try expectEqual(try element(ofMap: calls), 2, "calls seen by the tracer")
            }
        }
        for importer in importers { try expectEqual(try importer.run(), 42, "result after the tracer is gone") }
        try expectEqual(try element(ofMap: calls), 2, "calls seen by the tracer in the end")
    }
}

/// The same of an object's first program.
private func directCalls(in object: LoadedObject, to address: UInt64) throws -> Int {
    try directCalls(in: try OpenProgram.open(.id(object.programs[0].info.id)), to: address)
}

/// How often the native code of a program calls an address directly (opcode E8, rel32).
func directCalls(in program: OpenProgram, to address: UInt64) throws -> Int {
    let code = try ProgramInfo.nativeCode(of: program.descriptor)
    try expectEqual(code.count, program.info.jitedLength, "bytes of native code")
    var count = 0
    var start = 0
    for (base, length) in zip(program.info.jitedSymbols, program.info.jitedLengths) {
        let end = start + Int(length)
        for index in start..<end - 4 where code[index] == 0xe8 {
            let distance = code[(index + 1)..<(index + 5)].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            let next = base &+ UInt64(index - start + 5)
            if next &+ UInt64(bitPattern: Int64(Int32(bitPattern: distance))) == address { count += 1 }
        }
        start = end
    }
    return count
}

/// The instructions of a program after the verifier's rewrites.
func translated(_ program: OpenProgram) throws -> [bpf_insn] {
    let bytes = try ProgramInfo.translatedInstructions(of: program.descriptor)
    return bytes.withUnsafeBytes { Array($0.bindMemory(to: bpf_insn.self)) }
}

func infoResult(_ program: CInt, _ info: inout bpflink_prog_info) -> CInt {
    var size = UInt32(MemoryLayout<bpflink_prog_info>.size)
    return bpf_obj_get_info_by_fd(program, &info, &size)
}
