// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CBPFLinkUAPI
import CLibbpf
import Glibc

/// Ordinary programs that share the code of functions which are the same (BPF_F_SHARE_SUBPROGS), and what may not be done to shared code.
let sharedImageCases: [Case] = [
    Case("shared.static_and_global_functions_of_any_type", unblinded: true) {
        let map = try makeMap()
        for linkage in [BTF_FUNC_STATIC, BTF_FUNC_GLOBAL] {
            let programs = try [ProgramKind.socketFilter, .xdp, .schedCls, .xdp].map { kind in
                try Sharing.program("tally", counting: map, linkage: linkage, kind: kind).load()
            }
            let address = try require(try programs[0].opened().info.jitedSymbols.last, "address")
            for program in programs {
                try expectEqual(try program.opened().info.jitedSymbols.last, address, "address of the function")
                try expectEqual(try directCalls(in: try program.opened(), to: address), 1, "direct calls")
                try expect(try program.run() > 0, "nothing counted")
            }
            // Symbols of programs that go meanwhile can hide others from who reads them one by one.
            try withExtendedLifetime(programs) {
                try poll("the function has one symbol") { try symbolAddresses("tally") == [address] }
            }
        }
        try expectEqual(try element(ofMap: try mapID(map)), 8, "count")
    },
    Case("shared.only_if_asked_for", unblinded: true) {
        let map = try makeMap()
        var own = try Sharing.program("tally", counting: map)
        own.flags = 0
        let programs = [try Sharing.program("tally", counting: map).load(), try own.load(), try own.load()]
        try expectEqual(try symbolAddresses("tally").count, 3, "symbols")
        withExtendedLifetime(programs) {}
    },
    Case("shared.not_if_anything_is_different", unblinded: true) {
        let map = try makeMap()
        let first = try Sharing.program("tally", counting: map)
        var others = [try Sharing.program("tally", counting: try makeMap())]  // another map
        var larger = first
        larger.instructions.insert(.store(10, -64, value: 0), at: 4)  // the function has more stack
        others.append(larger)
        var constant = first
        constant.instructions[4].imm = 2
        others.append(constant)
        let programs = try [first.load()] + others.map { try $0.load() }
        try expectEqual(Set(try programs.map { try $0.opened().info.jitedSymbols[1] }).count, programs.count, "images")
        try expectEqual(try symbolAddresses("tally").count, programs.count, "symbols")
    },
    Case("shared.functions_are_what_they_call", unblinded: true) {
        // outer() is the same in both, inner() is not.
        func program(_ value: Int32) throws -> RawProgram {
            var program = try RawProgram.typed()
            program.flags = BPFLINK_F_SHARE_SUBPROGS
            program.instructions = [.call(1), .exit]
            try program.add("outer", linkage: BTF_FUNC_STATIC, [.call(1), .exit])
            try program.add("inner", linkage: BTF_FUNC_STATIC, [.set(0, value), .exit])
            return program
        }
        let programs = try [1, 2, 1].map { try program($0).load() }
        try expectEqual(try programs.map { try $0.run() }, [1, 2, 1], "results")
        let images = try programs.map { try $0.opened().info.jitedSymbols }
        try expectEqual(Array(images[0][1...]), Array(images[2][1...]), "images of programs that are the same")
        try expect(images[0][1] != images[1][1], "outer() is shared, though it calls another inner()")
    },
    Case("shared.sleepable_and_not", unblinded: true) {
        let programs = try [ProgramKind.fentry, .fentry.sleepable].map { kind in
            var program = try Sharing.program("tally", counting: try makeMap(), kind: kind)
            program.flags |= kind.flags
            return try program.load()
        }
        try expectEqual(try symbolAddresses("tally").count, 2, "images")
        withExtendedLifetime(programs) {}
    },
    Case("shared.lines_of_each_program", unblinded: true) {
        // Where lines begin is told per program, though the code is there once: as in a program that shares nothing.
        let map = try makeMap()
        var program = try Sharing.program("tally", counting: map)
        program.hasLines = true
        var alone = program
        alone.flags = 0
        let programs = try [alone, program, program].map { try $0.load() }
        let lines = try programs.map { program in
            let symbols = try program.opened().info.jitedSymbols
            return try nativeLines(of: program).map { line in line &- (symbols.filter { $0 <= line }.max() ?? 0) }
        }
        try expectEqual(lines[0].count, 7, "lines")
        try expect(Set(lines[0]).count > 4, "lines that begin at places of their own: \(lines[0])")
        for shared in lines[1...] { try expectEqual(shared, lines[0], "where lines begin in their functions") }
    },
    Case("shared.gone_with_the_last", unblinded: true) {
        let map = try makeMap()
        var programs = try (0..<3).map { _ in try Sharing.program("tally", counting: map).load() }
        let address = try symbolAddresses("tally")
        try expectEqual(address.count, 1, "images")
        while programs.count > 1 {
            let gone = try programs[0].opened().info.id
            programs.removeFirst()
            try poll("a program is gone") { !programExists(gone) }
            try expectEqual(try symbolAddresses("tally"), address, "images with a program less")
            try expect(try programs[0].run() > 0, "nothing counted")
        }
        programs = []
        try poll("the image is gone") { try symbolAddresses("tally").isEmpty }
    },
    Case("shared.failed_load_leaves_no_image", unblinded: true) {
        let map = try makeMap()
        let program = try Sharing.program("tally", counting: map)
        // There is no room for the log: that is found out when everything is compiled.
        for _ in 0..<20 {
            do {
                _ = try program.loadWithLog(level: 2, size: 128)
                throw Failure("the log had room")
            } catch let refusal as RawProgram.Refusal { try expectEqual(refusal.error, ENOSPC, "error number") }
        }
        try poll("no image is left") { try symbolAddresses("tally").isEmpty }
        let loaded = try program.load()
        try expectEqual(try loaded.run(), 1, "count")
        try expectEqual(try symbolAddresses("tally").count, 1, "images")
        // And one that fails beside an image which is there takes nothing away.
        do { _ = try program.loadWithLog(level: 2, size: 128) } catch is RawProgram.Refusal {}
        try expectEqual(try loaded.run(), 2, "count after another failed")
    },
    Case("shared.loaded_and_unloaded_at_once", cpus: 2, unblinded: true) {
        let map = try makeMap()
        try concurrently(4) {
            for round in 0..<60 {
                let kind = [ProgramKind.xdp, .schedCls, .socketFilter][round % 3]
                try expect(try Sharing.program("tally", counting: map, kind: kind).load().run() > 0, "nothing counted")
            }
        }
        try expectEqual(try element(ofMap: try mapID(map)), 240, "count")
        try poll("all images are gone") { try symbolAddresses("tally").isEmpty }
    },
    Case("shared.refuse.extension_of_shared_code", unblinded: true) {
        let map = try makeMap()
        let target = try Sharing.program("tally", counting: map, linkage: BTF_FUNC_GLOBAL, kind: .xdp).load().opened()
        let other = try Sharing.program("tally", counting: map, linkage: BTF_FUNC_GLOBAL, kind: .schedCls).load()
        var program = try RawProgram.typed("ext", type: BPF_PROG_TYPE_EXT)
        program.functions = [(0, try require(program.types, "types").function("tally", [], returns: try require(program.types, "types").int))]
        program.attachProgram = target.descriptor.number
        program.attachTypeID = target.info.functions[1].typeID
        program.instructions = [.set(0, 1234), .exit]
        let replacement = try program.load()
        let code = bpf_raw_tracepoint_open(nil, replacement.number)
        try expectEqual(code, -EBUSY, "result of attaching to shared code")
        try expect(try other.run() < 1234, "the other program was changed")
    },
    Case("shared.extended_code_is_not_offered", unblinded: true) {
        let map = try makeMap()
        let first = try Sharing.program("tally", counting: map, linkage: BTF_FUNC_GLOBAL, kind: .xdp)
        let target = try first.load()
        var program = try RawProgram.typed("ext", type: BPF_PROG_TYPE_EXT)
        let types = try require(program.types, "types")
        program.functions = [(0, try types.function("tally", [], returns: types.int))]
        program.attachProgram = target.number
        program.attachTypeID = try target.opened().info.functions[1].typeID
        program.instructions = [.set(0, 1234), .exit]
        let replacement = try program.load()
        do {
            let link = try OwnedDescriptor(bpf_raw_tracepoint_open(nil, replacement.number), "the extension's link")
            try expectEqual(try target.run(), 1234, "result of the extended program")
            let other = try first.load()
            try expectEqual(try other.run(), 1, "result of a program that is the same and not extended")
            try expectEqual(try symbolAddresses("tally").count, 2 + 1, "symbols of both and of the extension")
            withExtendedLifetime(link) {}
        }
        try expectEqual(try target.run(), 2, "result after the extension is gone")
        try expectEqual(try first.load().run(), 3, "result of one that may share again")
    },
    Case("shared.beside_a_table_of_places_in_the_code") {
        // The JIT compiler fills in the table for the functions that it compiles: what is taken would be missing from it.
        for _ in 0..<2 {
            var program = try Sharing.program("tally", counting: try makeMap())
            program.slots.append(try makeInstructionArray(target: 4))
            try expectEqual(try program.load().run(), 1, "count")
        }
    },
    Case("shared.refuse.tracing_of_a_body_that_others_have", unblinded: true) {
        // What fentry sees has the types of the traced program; callers of a body may pass anything.
        var library = try RawProgram.keeper(type: BPF_PROG_TYPE_XDP)
        library.instructions = [.call(1), .exit]
        try library.add("answer", linkage: BTF_FUNC_STATIC, [.set(0, 42), .exit])
        let provider = try Provider(try library.load())
        var tracer = RawProgram()
        tracer.type = BPF_PROG_TYPE_TRACING
        tracer.attachType = BPF_TRACE_FENTRY.rawValue
        tracer.attachProgram = provider.number
        tracer.attachTypeID = provider.info.functions[1].typeID
        tracer.instructions = [.set(0, 0), .exit]
        let program = try tracer.load()
        var importer: OwnedDescriptor? = try Raw.importer(ofBody: "answer", from: provider, kind: .schedCls).load()
        try expectEqual(try importer?.run(), 42, "result")
        try expectEqual(bpf_raw_tracepoint_open(nil, program.number), -EBUSY, "result of attaching to shared code")
        importer = nil
        var link: OwnedDescriptor?
        try poll("the code can be attached to") {
            let code = bpf_raw_tracepoint_open(nil, program.number)
            guard code >= 0 else { return false }
            link = try OwnedDescriptor(code, "link")
            return true
        }
        // And now it is not offered.
        let late = try Raw.importer(ofBody: "answer", from: provider, kind: .schedCls).load()
        try expectEqual(try late.opened().info.imports[0].image?.programs, 1, "programs that have the late importer's image")
        withExtendedLifetime(link) {}
    },
]

private enum Sharing {
    /// A program that calls `int NAME(void)` of its own, which counts in a map and returns the count, and returns what programs of
    /// the kind may return.
    static func program(
        _ name: String, counting map: OwnedDescriptor, linkage: btf_func_linkage = BTF_FUNC_STATIC,
        kind: ProgramKind = .socketFilter
    ) throws -> RawProgram {
        var program = try RawProgram.typed(type: kind.type)
        program.attachType = kind.attachType
        program.attachTypeID = try kind.attachTypeID()
        program.flags = BPFLINK_F_SHARE_SUBPROGS
        program.slots = [map]
        program.instructions = [.call(Int32(kind.ending.count))] + kind.ending
        try program.add(
            name, linkage: linkage,
            bpf_insn.mapValue(1, slot: 0) + [.set(2, 1), .atomicAdd(1, 0, register: 2), .load(0, 1, 0), .exit])
        return program
    }
}

/// The native addresses of a program's lines.
private func nativeLines(of program: OwnedDescriptor) throws -> [UInt64] {
    var lengths = bpflink_prog_info()
    try expectEqual(infoResult(program.number, &lengths), 0, "result")
    var lines = [UInt64](repeating: 0, count: Int(lengths.nr_jited_line_info))
    var info = bpflink_prog_info()
    info.nr_jited_line_info = lengths.nr_jited_line_info
    info.jited_line_info_rec_size = lengths.jited_line_info_rec_size
    let result = lines.withUnsafeMutableBytes { bytes in
        info.jited_line_info = UInt64(UInt(bitPattern: bytes.baseAddress))
        return infoResult(program.number, &info)
    }
    try expectEqual(result, 0, "result with room for the lines")
    return lines
}
