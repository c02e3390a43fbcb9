// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CLibbpf
import Glibc

/// Arguments that are no plain memory: contexts, dynptrs, the kernel's own objects, arenas.
let argumentKindCases: [Case] = ["context", "dynptr", "trusted", "nullable", "untrusted"].map { program in
    Case("arguments.kind_\(program)") {
        // As a socket filter's function and as one of the importers' own kind.
        for entry in ["socket", "tc"] {
            let importer = try load("import_kinds", from: [try library("kinds", entry: entry)])
            try expectEqual(try importer.run(program), 1, "result with a provider of section \(entry)")
        }
    }
} + [
    taking("arguments.refuse.number_as_context", "context_length", "__sk_buff", "R1 expects pointer to ctx") {
        [.set(1, 8), .call(import: $0), .exit]
    },
    taking("arguments.refuse.context_with_an_offset", "context_length", "__sk_buff", "dereference of modified ctx ptr") {
        [.add(1, 8), .call(import: $0), .exit]
    },
    taking("arguments.refuse.stack_as_trusted", "task_pid", "task_struct", "R1 type=fp expected=") {
        [.store(10, -8, value: 0), .copy(1, 10), .add(1, -8), .call(import: $0), .exit]
    },
    taking("arguments.refuse.number_as_trusted", "task_pid", "task_struct", "R1 type=scalar expected=") {
        [.set(1, 8), .call(import: $0), .exit]
    },
    taking("arguments.refuse.null_as_trusted", "task_pid", "task_struct", "R1 type=scalar expected=") {
        [.set(1, 0), .call(import: $0), .exit]
    },
    taking("arguments.refuse.number_on_another_path_than_nullable", "task_pid_or_less", "task_struct", "R1 type=scalar") {
        [
            .helper(BPF_FUNC_get_prandom_u32), .set(1, 0x4141_4141), .jump(if: 0, equals: 0, 1), .set(1, 0),
            .call(import: $0), .exit,
        ]
    },
    taking("arguments.refuse.memory_as_dynptr", "dynptr_first", "bpf_dynptr", "Expected an initialized dynptr as R1") {
        [.store(10, -16, value: 0), .store(10, -8, value: 0), .copy(1, 10), .add(1, -16), .call(import: $0), .exit]
    },
    // The function was verified for memory: it may write, and move the packet, without a note of either.
    Case("arguments.refuse.dynptr_of_a_packet") {
        let provider = try library("kinds", entry: "tc")
        for program in ["packet", "metadata", "frame"] {
            try expectRefusal(
                "R1 is a dynptr of a packet, which dynptr_first() takes for one of memory, copy the data",
                "Caller passes invalid args into dynptr_first() of prog"
            ) { _ = try load("import_packet_dynptr", only: [program], from: [provider]) }
        }
    },
    // What another type takes for its context is memory of the struct's size to this one, or NULL.
    Case("arguments.refuse.context_of_another_type") {
        let provider = try library("kinds", entry: "tc")
        var program = try RawProgram.typed(type: BPF_PROG_TYPE_KPROBE)
        let types = try require(program.types, "types")
        let length = try program.extern("context_length", [try types.pointer(to: try types.incomplete("__sk_buff"))])
        program.instructions = [.call(import: length), .set(0, 0), .exit]
        program.slots = [provider]
        try expectRefusal(
            "R1 invalid mem access 'mem_or_null'",
            "cannot import context_length() from prog \(provider.info.id) (kinds): it is not valid in programs of this kind"
        ) { _ = try program.load() }
    },
    // Inside one program whoever passes an address has the right to read there; across programs the importer's counts.
    Case("arguments.refuse.any_address_without_perfmon") {
        let provider = try library("kinds")
        var program = try RawProgram.typed()
        let types = try require(program.types, "types")
        let pid = try program.extern("task_pid_unsure", [try types.pointer(to: try types.incomplete("task_struct"))])
        program.instructions = [.set(1, 0x1000), .call(import: pid), .exit]
        program.slots = [provider]
        _ = try program.load()
        try withCapabilities(.bpfOnly) {
            try expectRefusal(
                "cannot import task_pid_unsure() from prog \(provider.info.id) (kinds): it is not valid in programs of this kind"
            ) { _ = try program.load() }
        }
    },
    Case("arguments.arena_of_both") {
        let arena = try Arena()
        arena.words[512] = 77
        let provider = try Raw.readingArena(arena.map)
        let program = try Raw.arenaImporter(of: provider, arena: arena.map, address: arena.address(of: 512))
        try expectEqual(try program.load().run(), 77, "what user space wrote into the arena")
        // Nothing is mapped there: it reads as 0 and does not harm.
        try expectEqual(
            try Raw.arenaImporter(of: provider, arena: arena.map, address: arena.address(of: 2048)).load().run(), 0,
            "what lies where no page is")
    },
    Case("arguments.refuse.arena_of_another") {
        let (arena, other) = (try Arena(), try Arena())
        let provider = try Raw.readingArena(arena.map)
        let words = "cannot import read() from prog \(provider.info.id) (lib): "
            + "it takes pointers into an arena that this program does not use"
        for map in [other.map, nil] {
            let program = try Raw.arenaImporter(of: provider, arena: map, address: arena.address(of: 0))
            try expectRefusal(words, "Use the arena of the program that exports the function.") { _ = try program.load() }
        }
    },
]

/// A call of a function of kinds.bpf.c, by a socket filter, that has to be refused.
private func taking(
    _ name: String, _ function: String, _ structure: String, _ words: String,
    body: @escaping @Sendable (Int32) throws -> [bpf_insn]
) -> Case {
    Case(name) {
        var program = try RawProgram.typed()
        let types = try require(program.types, "types")
        let import_ = try program.extern(function, [try types.pointer(to: try types.incomplete(structure))])
        program.instructions = try body(import_)
        program.slots = [try library("kinds")]
        try expectRefusal(words, "Caller passes invalid args into \(function)() of prog") { _ = try program.load() }
        program.flags = UInt32(BPF_F_TEST_STATE_FREQ)
        try expectRefusal(words) { _ = try program.load() }
    }
}

/// Memory that programs and user space share.
private final class Arena {
    let map: OwnedDescriptor
    /// Its first four pages; of these the first two are there.
    let words: UnsafeMutablePointer<Int>
    private static let size = 4 * 4096

    init() throws {
        var options = bpf_map_create_opts()
        options.sz = MemoryLayout<bpf_map_create_opts>.size
        options.map_flags = UInt32(BPF_F_MMAPABLE)
        // BPF_MAP_TYPE_ARENA, which the distribution's header does not know.
        map = try OwnedDescriptor(bpf_map_create(bpf_map_type(33), "arena", 0, 0, 8, &options), "arena")
        let pages = mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_SHARED, map.number, 0)
        try expect(pages != MAP_FAILED, "the arena cannot be mapped")
        words = pages!.assumingMemoryBound(to: Int.self)
        words[0] = 1
        words[512] = 1
    }

    deinit { munmap(words, Self.size) }

    /// How programs address a word: by the lower half of its address.
    func address(of word: Int) -> Int32 { Int32(truncatingIfNeeded: Int(bitPattern: words + word)) }
}

extension Raw {
    /// A provider of `long read(long *)`, which reads from an arena.
    fileprivate static func readingArena(_ arena: OwnedDescriptor) throws -> Provider {
        var program = try RawProgram.library()
        let types = try require(program.types, "types")
        program.slots = [arena]
        try program.add(
            "read", taking: [try types.pointer(to: types.long)], returns: types.long,
            bpf_insn.map(2, slot: 0) + [.arenaPointer(1, 1), .load(0, 1, 0), .exit])
        try types.tag("arena", function: program.functions[1].type, parameter: 0)
        return try Provider(try program.load())
    }

    /// Passes an address to it.
    fileprivate static func arenaImporter(of provider: Provider, arena: OwnedDescriptor?, address: Int32) throws -> RawProgram {
        var program = try RawProgram.typed()
        let types = try require(program.types, "types")
        let read = try program.extern("read", [try types.pointer(to: types.long)], returns: types.long)
        program.slots = [provider] + (arena.map { [$0] } ?? [])
        program.instructions =
            (arena == nil ? [] : bpf_insn.map(2, slot: 1)) + [.set(1, address), .call(import: read), .exit]
        return program
    }
}
