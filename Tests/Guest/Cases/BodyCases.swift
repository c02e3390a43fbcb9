// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import BPFLink
import BPFLinker
import BPFObject
import CBPFLinkUAPI
import CLibbpf
import Glibc
import TestFixtures

/// Functions of other programs that are verified as a part of the program which calls them (BPF_PSEUDO_PROG_BODY).
let bodyCases: [Case] =
    ProgramKind.all.map { kind in
        Case("bodies.static_function_in_\(kind.name)") {
            let map = try makeMap()
            let provider = try Raw.keeping("count_up", in: map)
            let importer = try Raw.importer(ofBody: "count_up", from: provider, kind: kind).load()
            if kind.runs { try expectEqual(try importer.run(), 1, "count") }
            let info = try importer.opened().info
            try expectEqual(info.imports.map(\.programID), [provider.info.id], "providers")
            try expectEqual(info.imports.map(\.verification), [.chain], "how it was verified")
            try expect(info.verifiedInstructions >= 7, "the body was not verified: \(info.verifiedInstructions) instructions")
            try expectEqual(info.functions.count, 1, "functions that the program says it has")
            try expectEqual(info.jitedSymbols.count, 1, "native functions that it says it has")
        }
    } + [
        Case("bodies.one_image_for_all_kinds", unblinded: true) {
            let map = try makeMap()
            let provider = try Raw.keeping("count_up", in: map)
            let importers = try ProgramKind.all.map { try Raw.importer(ofBody: "count_up", from: provider, kind: $0).load() }
            let images = try importers.map { try require(try $0.opened().info.imports[0].image, "no image") }
            try expectEqual(Set(images.map(\.address)).count, 1, "images")
            try expectEqual(images.map(\.programs), Array(repeating: ProgramKind.all.count, count: images.count), "programs that have it")
            try expectEqual(try symbolAddresses("count_up"), [try require(images[0].address, "address")], "symbols")
            for importer in importers {
                try expectEqual(
                    try directCalls(in: try importer.opened(), to: try require(images[0].address, "address")), 1, "direct calls")
            }
        },
        Case("bodies.what_callers_pass_decides", unblinded: true) {
            // Reads through its second argument if the first says so, without a look at it.
            let body: [bpf_insn] = [.set(0, 7), .jump(if: 1, equals: 1, 1), .exit, .load(0, 2, 0), .exit]
            let provider = try Raw.keeping("trusting", arguments: 2, body)
            func importer(_ kind: Int32, _ argument: [bpf_insn], _ type: ProgramKind = .socketFilter) throws -> RawProgram {
                var program = try RawProgram.typed(type: type.type)
                guard let long = program.types?.long else { throw Failure("no types") }
                let function = try program.extern("trusting", [long, long])
                program.instructions = [.store(10, -8, value: 5)] + argument + [.set(1, kind), .call(body: function), .exit]
                program.slots = [provider]
                return program
            }
            let reading = try importer(1, [.copy(2, 10), .add(2, -8)])
            try expectEqual(try reading.load().run(), 5, "what it reads")
            try expectEqual(try importer(2, [.set(2, 0)]).load().run(), 7, "result without reading")
            try expectRefusal("R2 invalid mem access 'scalar'") { _ = try importer(1, [.set(2, 0)]).load() }
            try expectRefusal("R2 invalid mem access 'scalar'") { _ = try importer(1, [.set(2, 64)]).load() }
            // One program that calls it with both has code for both.
            let two = try [importer(1, [.copy(2, 10), .add(2, -8)]).load(), importer(1, [.copy(2, 10), .add(2, -8)], .xdp).load()]
            let one = try importer(2, [.set(2, 0)]).load()
            let addresses = try (two + [one]).map { try $0.opened().info.imports[0].image?.address }
            try expectEqual(addresses[0], addresses[1], "images of two that read")
            try expect(addresses[0] != addresses[2], "the image that reads is that of one which does not")
        },
        Case("bodies.callbacks_and_inner_functions", unblinded: true) {
            // sum() has a callback that bpf_loop() calls, and the callback calls a function.
            func keeper(_ name: String) throws -> Provider {
                var program = try RawProgram.keeper(name)
                guard let long = program.types?.long else { throw Failure("no types") }
                // add(total) adds 1; step(index, total) calls it; sum() loops three times.
                try program.add("add", taking: [long], linkage: BTF_FUNC_STATIC, [.load(0, 1, 0), .add(0, 1), .store(1, 0, register: 0), .exit])
                try program.add("step", taking: [long, long], linkage: BTF_FUNC_STATIC, [.copy(1, 2), .call(-6), .set(0, 0), .exit])
                try program.add(
                    "sum", linkage: BTF_FUNC_STATIC,
                    [.store(10, -8, value: 0), .set(1, 3)] + bpf_insn.function(2, -7) + [
                        .copy(3, 10), .add(3, -8), .set(4, 0), .helper(BPF_FUNC_loop), .load(0, 10, -8), .exit,
                    ])
                return try Provider(try program.load())
            }
            let provider = try keeper("keeper")
            let importers = try [ProgramKind.socketFilter, .xdp, .schedCls].map {
                try Raw.importer(ofBody: "sum", from: provider, kind: $0).load()
            }
            for importer in importers { try expectEqual(try importer.run(), 3, "sum") }
            try withExtendedLifetime(importers) {
                for name in ["add", "step", "sum"] { try expectEqual(try symbolAddresses(name).count, 1, "images of \(name)") }
            }
        },
        Case("bodies.exports_and_bodies_of_others") {
            // top (kept by upper) calls an export of one program and a body of another.
            let exporter = try Raw.answering(30)
            let keeper = try Raw.keeping("inner", [.set(0, 12), .exit])
            var upper = try RawProgram.keeper("upper")
            let answer = try upper.extern("answer"), inner = try upper.extern("inner")
            upper.slots = [exporter, keeper]
            try upper.add(
                "top", linkage: BTF_FUNC_STATIC,
                [.call(import: answer), .copy(6, 0), .call(body: inner, slot: 1), .sum(0, 6), .exit])
            let provider = try Provider(try upper.load())
            for kind in [ProgramKind.socketFilter, .xdp] {
                let importer = try Raw.importer(ofBody: "top", from: provider, kind: kind).load()
                try expectEqual(try importer.run(), 42, "sum in \(kind.name)")
                let imports = try importer.opened().info.imports
                try expectEqual(
                    Set(imports.map(\.programID)), [provider.info.id, exporter.info.id, keeper.info.id], "providers")
                try expectEqual(imports.filter { $0.verification == .chain }.count, 2, "bodies")
            }
        },
        Case("bodies.in_an_export_that_is_verified_for_others") {
            let map = try makeMap()
            let keeper = try Raw.keeping("count_up", in: map)
            var middle = try RawProgram.library("middle")
            let function = try middle.extern("count_up")
            middle.slots = [keeper]
            try middle.add("pass", [.call(body: function), .exit])
            let provider = try Provider(try middle.load())
            for (index, kind) in [ProgramKind.socketFilter, .xdp, .schedCls, .xdp].enumerated() {
                let importer = try Raw.importer(of: "pass", from: provider, kind: kind).load()
                try expectEqual(try importer.run(), UInt32(index + 1), "count after \(kind.name)")
            }
            try expectEqual(try provider.current().environments.map(\.error), [0, 0], "environments")
        },
        Case("bodies.contract_and_body_of_one_function") {
            var library = try RawProgram.library()
            library.flags |= BPFLINK_F_KEEP_SUBPROGS
            try library.add("answer", [.set(0, 21), .exit])
            let provider = try Provider(try library.load())
            var program = try RawProgram.typed()
            let answer = try program.extern("answer")
            program.instructions = [.call(import: answer), .copy(6, 0), .call(body: answer), .sum(0, 6), .exit]
            program.slots = [provider]
            let importer = try program.load()
            try expectEqual(try importer.run(), 42, "sum")
            let imports = try importer.opened().info.imports
            try expectEqual(Set(imports.map(\.verification)), [.once, .chain], "how they are verified")
        },
        Case("bodies.a_program_that_keeps_has_no_code_for_what_it_does_not_call") {
            var library = try RawProgram.keeper()
            try library.add("unsafe", linkage: BTF_FUNC_STATIC, [.set(1, 0), .load(0, 1, 0), .exit])
            try library.add("global", [.set(1, 0), .load(0, 1, 0), .exit])
            let provider = try library.load().opened()
            try expectEqual(provider.info.jitedSymbols.count, 1, "native functions")
            try expectEqual(provider.info.bodies.count, 2, "functions that are kept")
            try expectEqual(provider.info.exports.count, 0, "exports")
            let text = try readFile("/proc/self/fdinfo/\(provider.descriptor.number)")
            try expect(text.contains("\nbody:\tunsafe\n") && text.contains("\nbody:\tglobal\n"), "fdinfo: \(text)")
        },
        Case("bodies.call_that_is_never_made") {
            let provider = try Raw.keeping("answer", [.set(0, 42), .exit])
            var program = try RawProgram.typed()
            let answer = try program.extern("answer")
            program.instructions = [.set(0, 3), .jump(if: 0, equals: 3, 1), .call(body: answer), .exit]
            program.slots = [provider]
            let importer = try program.load()
            try expectEqual(try importer.run(), 3, "result")
            try expectEqual(try importer.opened().info.imports.map(\.image), [nil], "image of what is never called")
        },
        Case("bodies.live_as_long_as_an_importer", unblinded: true) {
            var importers: [OwnedDescriptor]
            let map = try makeMap()
            do {
                let provider = try Raw.keeping("count_up", in: map)
                importers = try [ProgramKind.xdp, .schedCls, .socketFilter].map {
                    try Raw.importer(ofBody: "count_up", from: provider, kind: $0).load()
                }
            }
            let address = try symbolAddresses("count_up")
            try expectEqual(address.count, 1, "images")
            while importers.count > 1 {
                let gone = try importers[0].opened().info.id
                importers.removeFirst()
                try poll("an importer is gone") { !programExists(gone) }
                try expectEqual(try symbolAddresses("count_up"), address, "images with an importer less")
                _ = try importers[0].run()
            }
            importers = []
            try poll("the image is gone with its last importer") { try symbolAddresses("count_up").isEmpty }
        },
        Case("bodies.shared_with_the_program_that_keeps_them", unblinded: true) {
            // The provider calls the function itself, so it has code for it.
            var library = try RawProgram.keeper()
            library.instructions = [.call(1), .exit]
            try library.add("answer", linkage: BTF_FUNC_STATIC, [.set(0, 42), .exit])
            let provider = try Provider(try library.load())
            let importer = try Raw.importer(ofBody: "answer", from: provider, kind: .xdp).load()
            try expectEqual(try importer.run(), 42, "result")
            let image = try require(try importer.opened().info.imports[0].image, "no image")
            try expectEqual(image.address, provider.info.jitedSymbols[1], "the image")
            try expectEqual(image.programs, 2, "programs that have it")
        },
        Case("bodies.timer_names_its_program", unblinded: true) {
            // What is written into instructions of a program is its own: so is the code.
            for kind in [ProgramKind.schedCls, .xdp] {
                let (map, ticks): (OwnedDescriptor, OwnedDescriptor)
                do {
                    var request = LoadRequest([try Object(bytes: Fixture.bytes("ticking"), name: "ticking.bpf.o")])
                    request.linking.entrySection = "tc"
                    let provider = try Provider(try request.plan().load()[0])
                    map = try OwnedDescriptor(bpf_map_get_fd_by_id(try provider.map("clocks")), "map of the timer")
                    ticks = try OwnedDescriptor(bpf_map_get_fd_by_id(try provider.map("bss")), "map of the counter")
                    let importers = try (0..<2).map { _ in
                        try Raw.importer(ofBody: "start", from: provider, kind: kind).load()
                    }
                    try expectEqual(try importers[0].run(), 1, "result of starting the timer")
                    let images = try importers.map { try $0.opened().info.imports[0].image?.address }
                    try expect(images[0] != images[1], "two programs have the code that names one of them")
                    // Its callback runs with nobody above it on the stack who could be asked whose it is.
                    try withExtendedLifetime(importers) {
                        try expectEqual(try symbolAddresses("tick").count, 3, "callbacks: that of the provider, and one of each importer")
                    }
                }
                let counter = try mapID(ticks)
                let before = try element(ofMap: counter)
                try poll("the timer of \(kind.name) ticks on") { try element(ofMap: counter) > before + 10 }
                withExtendedLifetime(map) {}
            }
        },
        Case("bodies.tail_call") {
            let jumps = try makeMap(BPF_MAP_TYPE_PROG_ARRAY, valueSize: 4)
            var library = try RawProgram.keeper()
            library.slots = [jumps]
            try library.add(
                "leave", taking: [try require(library.types, "types").long], linkage: BTF_FUNC_STATIC,
                bpf_insn.map(2, slot: 0) + [.set(3, 0), .helper(BPF_FUNC_tail_call), .set(0, 5), .exit])
            let provider = try Provider(try library.load())
            var importers: [OwnedDescriptor] = []
            for _ in 0..<2 {
                var program = try RawProgram.typed()
                let leave = try program.extern("leave", [try require(program.types, "types").long])
                program.instructions = [.call(body: leave), .add(0, 1), .exit]
                program.slots = [provider]
                importers.append(try program.load())
            }
            for importer in importers { try expectEqual(try importer.run(), 6, "result with nowhere to go") }
            var target = RawProgram.nothing
            target.instructions[0].imm = 77
            let other = try target.load()
            var key: Int32 = 0
            var number = other.number
            try expectEqual(bpf_map_update_elem(jumps.number, &key, &number, 0), 0, "result of the update")
            for importer in importers { try expectEqual(try importer.run(), 78, "result of what was jumped to, and of going on") }
            var program = try RawProgram.typed(type: BPF_PROG_TYPE_XDP)
            let leave = try program.extern("leave", [try require(program.types, "types").long])
            program.instructions = [.call(body: leave), .exit]
            program.slots = [provider]
            // The array is for programs of the first type.
            do {
                _ = try program.load()
                throw Failure("a program array of another type was accepted")
            } catch let refusal as RawProgram.Refusal { try expectEqual(refusal.error, EINVAL, "error number") }
        },
        Case("bodies.exception") {
            let kernel = try require(btf__load_vmlinux_btf(), "the kernel's types")
            defer { btf__free(kernel) }
            let id = btf__find_by_name_kind(kernel, "bpf_throw", 12 /* BTF_KIND_FUNC */)
            let provider = try Raw.keeping(
                "give_up", arguments: 1, [.jump(if: 1, equals: 0, 2), .set(1, 55), .call(kernelFunction: id, slot: 0), .set(0, 7), .exit])
            for (value, result): (Int32, UInt32) in [(0, 8), (1, 55)] {
                for kind in [ProgramKind.schedCls, .xdp] {
                    var program = try RawProgram.typed(type: kind.type)
                    let function = try program.extern("give_up", [try require(program.types, "types").long])
                    program.instructions = [.set(1, value), .call(body: function), .add(0, 1), .exit]
                    program.slots = [provider]
                    try expectEqual(try program.load().run(), result, "result in \(kind.name)")
                }
            }
        },
        Case("bodies.exception_callback_behind_functions_without_code") {
            let kernel = try require(btf__load_vmlinux_btf(), "the kernel's types")
            defer { btf__free(kernel) }
            let throwing = btf__find_by_name_kind(kernel, "bpf_throw", 12 /* BTF_KIND_FUNC */)
            for flags in [0, BPFLINK_F_KEEP_SUBPROGS, BPFLINK_F_EXPORT_SUBPROGS | BPFLINK_F_KEEP_SUBPROGS] {
                var program = try RawProgram.typed(type: BPF_PROG_TYPE_SCHED_CLS)
                let types = try require(program.types, "types")
                program.flags = flags
                // Without a flag a function is gone only if it is called, but never: r2 is 0.
                program.instructions =
                    [.set(2, 0), .jump(if: 2, equals: 0, 1), flags == 0 ? .call(5) : .set(0, 0), .call(8), .set(1, 2)]
                    + [.call(kernelFunction: throwing, slot: 0), .set(0, 0), .exit]
                try program.add("unused", linkage: BTF_FUNC_STATIC, [.set(0, 11), .exit])
                try program.add("on_error", taking: [types.long], [.copy(0, 1), .add(0, 40), .exit])
                try types.tag("exception_callback:on_error", declaration: program.functions[0].type)
                // What would run if the function before were counted.
                try program.add("behind", linkage: BTF_FUNC_STATIC, [.set(0, 99), .exit])
                program.instructions[3].imm = Int32(program.functions[3].start) - 4
                try expectEqual(try program.load().run(), 42, "result of the exception with flags \(flags)")
            }
        },
        Case("bodies.types_of_the_provider_that_the_importer_has_not") {
            // An importer that exports looks for its exports among its own functions: the body has a type id beyond its types.
            var library = try RawProgram.keeper()
            for _ in 0..<100 { _ = try require(library.types, "types").unsignedLong() }
            try library.add("answer", linkage: BTF_FUNC_STATIC, [.set(0, 42), .exit])
            let provider = try Provider(try library.load())
            for flags in [BPFLINK_F_EXPORT_SUBPROGS, BPFLINK_F_KEEP_SUBPROGS, BPFLINK_F_EXPORT_SUBPROGS | BPFLINK_F_KEEP_SUBPROGS] {
                var program = try Raw.importer(ofBody: "answer", from: provider, kind: .xdp)
                program.flags |= flags
                try expectEqual(try program.load().run(), 42, "result with flags \(flags)")
            }
        },
        Case("bodies.fault_in_shared_code", unblinded: true) {
            // What is read behind an untrusted pointer that leads nowhere is 0: the fault is found by the image's exception table.
            let kernel = try require(btf__load_vmlinux_btf(), "the kernel's types")
            defer { btf__free(kernel) }
            let cast = btf__find_by_name_kind(kernel, "bpf_rdonly_cast", 12 /* BTF_KIND_FUNC */)
            let task = btf__find_by_name_kind(kernel, "task_struct", 4 /* BTF_KIND_STRUCT */)
            var nowhere = bpf_insn.wide(1, Int32(bitPattern: 0xdead_0000))
            // Between user space and the direct mapping (Documentation/arch/x86/x86_64/mm.rst).
            nowhere[1].imm = Int32(bitPattern: 0xffff_8000)
            let provider = try Raw.keeping(
                "look", nowhere + [.set(2, task), .call(kernelFunction: cast, slot: 0), .load(0, 0, 0), .add(0, 7), .exit])
            var importers = try [ProgramKind.socketFilter, .xdp].map {
                try Raw.importer(ofBody: "look", from: provider, kind: $0).load()
            }
            let images = try importers.map { try $0.opened().info.imports[0].image?.address }
            try expectEqual(images[0], images[1], "images")
            for importer in importers { try expectEqual(try importer.run(), 7, "result") }
            // The table is the image's own, not that of the program which brought it.
            let gone = try importers[0].opened().info.id
            importers.removeFirst()
            try poll("the first is gone") { !programExists(gone) }
            try expectEqual(try importers[0].run(), 7, "result of the program that is left")
        },
        Case("bodies.loaded_and_unloaded_at_once", cpus: 2, unblinded: true) {
            let map = try makeMap()
            let provider = try Raw.keeping("count_up", in: map)
            try concurrently(4) {
                for round in 0..<60 {
                    let kind = [ProgramKind.xdp, .schedCls, .socketFilter][round % 3]
                    let importer = try Raw.importer(ofBody: "count_up", from: provider, kind: kind).load()
                    try expect(try importer.run() > 0, "nothing counted")
                }
            }
            try expectEqual(try element(ofMap: try mapID(map)), 240, "count")
        },
    ]

/// What may not be verified with a program, or may not be asked for.
let bodyRefusalCases: [Case] = [
    Case("bodies.refuse.unknown_name") {
        let provider = try Raw.keeping("answer", [.set(0, 42), .exit])
        try expectRefusal("cannot import question() from prog \(provider.info.id) (keep): it keeps no function of that name") {
            _ = try Raw.importer(ofBody: "question", from: provider, kind: .xdp).load()
        }
        try expectRefusal("cannot import entry() from prog", "it keeps no function of that name") {
            _ = try Raw.importer(ofBody: "entry", from: provider, kind: .xdp).load()
        }
    },
    Case("bodies.refuse.program_that_does_not_keep") {
        let provider = try Raw.answering()
        try expectRefusal("cannot import answer() from prog", "the program was not loaded with BPF_F_KEEP_SUBPROGS") {
            _ = try Raw.importer(ofBody: "answer", from: provider, kind: .xdp).load()
        }
    },
    Case("bodies.refuse.contract_of_what_is_only_kept") {
        let provider = try Raw.keeping("answer", [.set(0, 42), .exit])
        try expectRefusal("cannot import answer() from prog", "it exports no function of that name") {
            _ = try Raw.importer(from: provider).load()
        }
    },
    Case("bodies.refuse.exception_callback_of_another_program") {
        // The type ids are the same, in different type tables: the function is not what the tag names, and takes an argument as it likes.
        var library = try RawProgram.keeper()
        let long = try require(library.types, "types").long
        try library.add("writer", taking: [long], linkage: BTF_FUNC_STATIC, [.set(0, 0), .exit])
        try library.add("answer", linkage: BTF_FUNC_STATIC, [.set(1, 1), .call(-4), .exit])
        let provider = try Provider(try library.load())
        var program = try RawProgram.typed(type: BPF_PROG_TYPE_SCHED_CLS)
        let types = try require(program.types, "types")
        let callback = try types.function("writer", [types.long], returns: types.int)
        try expectEqual(callback, library.functions[1].type, "type id of the callback")
        try types.tag("exception_callback:writer", declaration: program.functions[0].type)
        program.instructions = [.call(body: try program.extern("answer")), .exit]
        program.slots = [provider]
        try expectRefusal("exception callback type id not found in func_info") { _ = try program.load() }
    },
    Case("bodies.refuse.lines_of_another_program") {
        let provider = try Raw.keeping("answer", [.set(0, 42), .exit])
        var program = try Raw.importer(ofBody: "answer", from: provider, kind: .socketFilter)
        program.hasLines = true
        try expectEqual(try program.load().run(), 42, "result of a program with lines of its own")
        program.strayLines = 1
        try expectRefusal("Invalid line_info[2].insn_off:2 (prev_offset:1 prog->len:2)") { _ = try program.load() }
    },
    Case("bodies.refuse.map_that_is_for_one_program_only") { try refuseExclusiveMap(.chain) },
    Case("imports.refuse.map_that_is_for_one_program_only") { try refuseExclusiveMap(.once) },
    Case("bodies.refuse.two_functions_of_one_name") {
        var library = try RawProgram.keeper("keep")
        for value: Int32 in [1, 2] { try library.add("answer", linkage: BTF_FUNC_STATIC, [.set(0, value), .exit]) }
        let provider = try Provider(try library.load())
        try expectRefusal("cannot import answer() from prog", "it keeps two functions of that name") {
            _ = try Raw.importer(ofBody: "answer", from: provider, kind: .xdp).load()
        }
    },
    Case("bodies.refuse.wrong_declaration") {
        let provider = try Raw.keeping("answer", arguments: 2, [.set(0, 42), .exit])
        try expectRefusal("cannot import answer() from prog", "it is declared with 0 arguments but has 2") {
            _ = try Raw.importer(ofBody: "answer", from: provider, kind: .xdp).load()
        }
    },
    // Comparing declarations is bounded, whatever the types of a function are that nobody has verified.
    Case("bodies.refuse.declaration_without_bound") {
        for (count, depth, words) in [
            (13, 0, "it has 13 arguments, more than 12"), (1, 33, "argument 1 is declared with another type"),
        ] {
            func parameters(_ types: TypeTable) throws -> [UInt32] {
                var type = types.long
                for _ in 0..<depth { type = try types.array(of: type, count: 1) }
                return Array(repeating: depth == 0 ? type : try types.pointer(to: type), count: count)
            }
            var library = try RawProgram.keeper("keep")
            try library.add(
                "answer", taking: parameters(try require(library.types, "types")), linkage: BTF_FUNC_STATIC,
                [.set(0, 42), .exit])
            var program = try RawProgram.typed()
            let function = try program.extern("answer", parameters(try require(program.types, "types")))
            program.instructions = [.set(1, 0), .call(body: function), .exit]
            program.slots = [try Provider(try library.load())]
            try expectRefusal("cannot import answer() from prog", words) { _ = try program.load() }
        }
    },
    Case("bodies.refuse.call_of_what_is_appended_by_its_place") {
        let provider = try Raw.keeping("answer", [.set(0, 42), .exit])
        var program = try Raw.importer(ofBody: "answer", from: provider, kind: .socketFilter)
        program.instructions.insert(.call(Int32(program.instructions.count - 1)), at: 1)
        try expectRefusal("invalid insn idx 3 insn_cnt 3") { _ = try program.load() }
        program.instructions.replaceSubrange(1...1, with: bpf_insn.function(1, 2))
        try expectRefusal("invalid insn idx 4 insn_cnt 4") { _ = try program.load() }
    },
    Case("bodies.refuse.slots_that_are_no_programs") {
        let provider = try Raw.keeping("answer", [.set(0, 42), .exit])
        for slot: Int16 in [1, -1, 2, 32767] {
            var program = try Raw.importer(ofBody: "answer", from: provider, kind: .xdp)
            program.instructions[0].off = slot
            program.slots = [provider, try makeMap()]
            try expectRefusal("fd_idx \(slot) is not a program") { _ = try program.load() }
        }
        var program = try Raw.importer(ofBody: "answer", from: provider, kind: .xdp)
        program.slots = []
        try expectRefusal("call of another program without fd_array_cnt is invalid") { _ = try program.load() }
    },
    Case("bodies.refuse.types_that_are_no_extern_functions") {
        let provider = try Raw.keeping("answer", [.set(0, 42), .exit])
        for type: Int32 in [0, 1, -1, .max, 3] {
            var program = try Raw.importer(ofBody: "answer", from: provider, kind: .xdp)
            program.instructions[0].imm = type
            try expectRefusal("type id \(type) is not an extern function") { _ = try program.load() }
        }
        // What is printed around one that is refused need not have been looked at yet.
        var program = try Raw.importer(ofBody: "question", from: provider, kind: .xdp)
        program.instructions.insert(.call(body: .max), at: 1)
        program.instructions.insert(.call(import: .max), at: 1)
        try expectRefusal("it keeps no function of that name") { _ = try program.load() }
        var calling = try Raw.importer(of: "question", from: try Raw.answering())
        calling.instructions.insert(.call(import: .max), at: 1)
        try expectRefusal("it exports no function of that name") { _ = try calling.load() }
    },
    Case("bodies.refuse.maps_that_only_the_body_may_name") {
        let map = try makeMap()
        let provider = try Raw.keeping("count_up", in: map)
        for slot: Int32 in [1, 2] {
            var program = try Raw.importer(ofBody: "count_up", from: provider, kind: .xdp)
            program.instructions.insert(contentsOf: bpf_insn.mapValue(1, slot: slot), at: 0)
            try expectRefusal("fd_idx \(slot) out of bounds") { _ = try program.load() }
        }
    },
    Case("bodies.refuse.more_functions_than_a_program_may_have") {
        var library = try RawProgram.keeper("keep")
        for index in 0..<200 {
            // Each calls the one before it.
            try library.add("f\(index)", linkage: BTF_FUNC_STATIC, index == 0 ? [.set(0, 1), .exit] : [.call(index == 1 ? -3 : -3), .exit])
        }
        let one = try Provider(try library.load()), other = try Provider(try library.load())
        var program = try RawProgram.typed()
        let function = try program.extern("f150")
        program.instructions = [.call(body: function), .call(body: function, slot: 1), .exit]
        program.slots = [one, other]
        try expectRefusal("too many subprograms") { _ = try program.load() }
    },
    Case("bodies.refuse.more_instructions_than_a_program_may_have") {
        let long = [bpf_insn.set(0, 0)] + Array(repeating: bpf_insn.add(0, 1), count: 49_998) + [.exit]
        let providers = try (0...20).map { _ in try Raw.keeping("long", long) }
        var program = try RawProgram.typed()
        let function = try program.extern("long")
        program.instructions = providers.indices.map { .call(body: function, slot: Int16($0)) } + [.exit]
        program.slots = providers
        try expectRefusal("there are more than 1000000 instructions with those of bodies") { _ = try program.load() }
    },
    Case("bodies.refuse.importer_without_types") {
        var program = RawProgram.nothing
        program.instructions.insert(.call(body: 1), at: 0)
        program.slots = [try Raw.keeping("answer", [.set(0, 42), .exit])]
        try expectRefusal("call of another program requires BTF with func_info") { _ = try program.load() }
    },
    Case("bodies.refuse.stack_of_all") {
        let provider = try Raw.keeping("deep", [.store(10, -400, value: 0), .set(0, 0), .exit])
        var program = try Raw.importer(ofBody: "deep", from: provider, kind: .xdp)
        program.instructions.insert(.store(10, -200, value: 0), at: 0)
        try expectRefusal("combined stack size of 2 calls is") { _ = try program.load() }
    },
    Case("bodies.refuse.helper_of_other_programs") {
        let provider = try Raw.keeping("send", [.set(1, 1), .set(2, 0), .helper(BPF_FUNC_redirect), .exit])
        _ = try Raw.importer(ofBody: "send", from: provider, kind: .schedCls).load()
        try expectRefusal("program of this type cannot use helper bpf_redirect#23") {
            _ = try Raw.importer(ofBody: "send", from: provider, kind: .kprobe).load()
        }
    },
    Case("bodies.refuse.license") {
        let provider = try Raw.keeping("stamp", [.set(1, 0), .set(2, 0), .set(3, 0), .helper(BPF_FUNC_probe_read_kernel), .set(0, 0), .exit])
        var program = try Raw.importer(ofBody: "stamp", from: provider, kind: .kprobe)
        program.license = "Proprietary"
        try expectRefusal("cannot call GPL-restricted function from non-GPL compatible program") { _ = try program.load() }
    },
    Case("bodies.refuse.without_capability") {
        let provider = try Raw.keeping("answer", [.set(0, 42), .exit])
        var keeper = try RawProgram.keeper()
        try keeper.add("answer", linkage: BTF_FUNC_STATIC, [.set(0, 1), .exit])
        let program = try Raw.importer(ofBody: "answer", from: provider, kind: .socketFilter)
        try withCapabilities([]) {
            for refused in [keeper, program] {
                do {
                    _ = try refused.load()
                    throw Failure("it was accepted")
                } catch let refusal as RawProgram.Refusal { try expectEqual(refusal.error, EPERM, "error number") }
            }
        }
    },
    Case("bodies.refuse.type_that_keeps_nothing") {
        var keeper = try RawProgram.keeper(type: BPF_PROG_TYPE_SYSCALL)
        keeper.flags |= UInt32(BPF_F_SLEEPABLE)
        try keeper.add("answer", linkage: BTF_FUNC_STATIC, [.set(0, 1), .exit])
        try expectRefusal("cannot export subprograms: programs of this type neither export nor import functions", "without BPF_F_KEEP_SUBPROGS") {
            _ = try keeper.load()
        }
    },
    Case("bodies.refuse.recursion_within") {
        var keeper = try RawProgram.keeper()
        try keeper.add("again", linkage: BTF_FUNC_STATIC, [.call(-1), .exit])
        try expectRefusal("recursive call from again() to again()") { _ = try keeper.load() }
    },
]

extension RawProgram {
    /// A program that keeps its functions and does nothing with them.
    static func keeper(_ name: String = "keep", type: bpf_prog_type = BPF_PROG_TYPE_SOCKET_FILTER) throws -> RawProgram {
        var program = try RawProgram.library(name, type: type)
        program.flags = BPFLINK_F_KEEP_SUBPROGS
        return program
    }
}

extension Raw {
    /// A provider that keeps `static int NAME(long…)`.
    static func keeping(_ name: String, arguments: Int = 0, slots: [any SlotContent] = [], _ body: [bpf_insn]) throws -> Provider {
        var program = try RawProgram.keeper()
        guard let long = program.types?.long else { throw Failure("no types") }
        program.slots = slots
        try program.add(name, taking: Array(repeating: long, count: arguments), linkage: BTF_FUNC_STATIC, body)
        return try Provider(try program.load())
    }

    /// A provider that keeps `static int NAME(void)`, which counts in a map and returns the count.
    static func keeping(_ name: String, in map: OwnedDescriptor) throws -> Provider {
        try keeping(
            name, slots: [map],
            bpf_insn.mapValue(1, slot: 0) + [.set(2, 1), .atomicAdd(1, 0, register: 2), .load(0, 1, 0), .exit])
    }

    /// A program of a kind that has `int NAME(void)` verified with itself and returns what programs of the kind may return.
    static func importer(ofBody name: String, from provider: any SlotContent, kind: ProgramKind) throws -> RawProgram {
        var program = try importer(of: name, from: provider, kind: kind)
        program.instructions[0].src_reg = UInt8(BPFLINK_PSEUDO_PROG_BODY)
        return program
    }
}

extension bpf_insn {
    /// A call of a function that is to be verified with the program.
    static func call(body type: Int32, slot: Int16 = 0) -> bpf_insn {
        var instruction = call(import: type, slot: slot)
        instruction.src_reg = UInt8(BPFLINK_PSEUDO_PROG_BODY)
        return instruction
    }

    /// `rD = a function of the same program`, `distance` instructions behind the next one, two slots wide
    static func function(_ destination: UInt8, _ distance: Int32) -> [bpf_insn] {
        var instructions = wide(destination, distance)
        instructions[0].src_reg = UInt8(BPF_PSEUDO_FUNC)
        return instructions
    }
}

/// A map is made for programs of one hash, which says nothing of the functions that they import.
private func refuseExclusiveMap(_ verification: Verification) throws {
    var library = try RawProgram.library()
    library.flags |= BPFLINK_F_KEEP_SUBPROGS
    try library.add("answer", [.set(0, 42), .exit])
    let provider = try Provider(try library.load())
    func program(_ map: CInt, imports: Bool) throws -> RawProgram {
        var program = try RawProgram.typed()
        let answer = try program.extern("answer")
        let call = verification == .chain ? bpf_insn.call(body: answer) : .call(import: answer)
        program.instructions = bpf_insn.map(1, descriptor: map) + [imports ? call : .set(0, 42), .exit]
        program.slots = imports ? [provider] : []
        return program
    }
    for imports in [false, true] {
        // What is hashed has no descriptors of maps.
        let map = try makeExclusiveMap(SHA256.digest(of: program(0, imports: imports).instructions.withUnsafeBytes(Array.init)))
        let user = try program(map.number, imports: imports)
        guard imports else {
            try expectEqual(try user.load().run(), 42, "result of a program that imports nothing")
            continue
        }
        try expectRefusal("map 'made' is exclusive by a hash, which does not cover imports") {
            _ = try user.load()
        }
    }
}
