// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CBPFLinkUAPI
import CLibbpf
import Glibc

/// What makes two importers different kinds, whether they get the same code, and what the kernel tells of it.
let environmentCases: [Case] = [
    Case("environments.shared_code_is_there_once", unblinded: true) {
        let map = try makeMap()
        let provider = try Raw.exporting(
            "count_up", slots: [map],
            bpf_insn.mapValue(1, slot: 0) + [.set(2, 1), .atomicAdd(1, 0, register: 2), .load(0, 1, 0), .exit])
        let address = try provider.address(of: "count_up")
        for (index, kind) in [ProgramKind.xdp, .schedCls, .schedAct].enumerated() {
            let importer = try Raw.importer(of: "count_up", from: provider, kind: kind).load()
            try expectEqual(try importer.run(), UInt32(index + 1), "count after \(kind.name)")
            try expectEqual(try directCalls(in: try importer.opened(), to: address), 1, "calls of the provider's code")
        }
        for kind in [ProgramKind.kprobe, .tracepoint, .perfEvent, .cgroupSkb, .fentry] {
            let importer = try Raw.importer(of: "count_up", from: provider, kind: kind).load().opened()
            try expectEqual(try directCalls(in: importer, to: address), 1, "calls of the provider's code by \(kind.name)")
        }
        try expectEqual(try provider.current().environments.map(\.ownCodeLength), Array(repeating: 0, count: 8), "own code")
        try expectEqual(try symbolAddresses("count_up"), [address], "symbols")
    },
    Case("environments.code_of_their_own", unblinded: true) {
        // Reads the context of whatever it is verified in: the same offset is another field.
        let provider = try Raw.exporting(
            "first_word", type: BPF_PROG_TYPE_SCHED_CLS, takesContext: true, [.load32(0, 1, 0), .exit])
        let address = try provider.address(of: "first_word")
        let before = try provider.current().exportsSize
        let own = try Raw.importer(of: "first_word", from: provider, kind: .schedCls, takesContext: true).load()
        try expectEqual(try own.run(), UInt32(somePacket.count), "skb->len")
        let filter = try Raw.importer(of: "first_word", from: provider, kind: .socketFilter, takesContext: true).load()
        try expectEqual(try filter.run(), UInt32(somePacket.count) - 14, "skb->len behind the Ethernet header")
        let perf = try Raw.importer(of: "first_word", from: provider, kind: .kprobe, takesContext: true).load().opened()
        try expectEqual(try directCalls(in: perf, to: address), 0, "calls of the provider's code by another kind")
        let environments = try provider.current().environments
        let foreign = try require(
            environments.first { $0.type.rawValue == ProgramKind.kprobe.type.rawValue }, "\(environments)")
        try expect(foreign.ownCodeLength > 0, "no code of its own: \(environments)")
        let addresses = try symbolAddresses("first_word")
        try expectEqual(addresses.count, 2, "symbols of first_word")
        try expectEqual(
            try addresses.map { try directCalls(in: perf, to: $0) }.reduce(0, +), 1, "calls of any code of first_word")
        let after = try provider.current().exportsSize
        try expect(before > 0 && after >= before + foreign.ownCodeLength, "bytes kept were \(before), are \(after)")
        let text = try readFile("/proc/self/fdinfo/\(provider.number)")
        try expect(text.contains("\nexports_size:\t\(after)\n"), "fdinfo shows no size \(after): \(text)")
        try expect(
            text.contains("environment:\tfirst_word type 2 attach 0 flags") && text.contains(": code of its own\n")
                && text.contains(": shared code\n"), "fdinfo shows no environments: \(text)")
    },
    Case("environments.export_of_the_type_of_the_entry_function") {
        // Two functions of one type id: that of the export is not the entry function.
        var library = try RawProgram.library()
        try library.add("answer", [.set(0, 42), .exit])
        library.functions[0].type = library.functions[1].type
        let provider = try Provider(try library.load())
        for kind in [ProgramKind.socketFilter, .xdp] {
            try expectEqual(try Raw.importer(from: provider, kind: kind).load().run(), 42, "result in \(kind.name)")
        }
    },
    Case("environments.equal_exports_are_told_apart", unblinded: true) {
        // Whoever attaches to one of them sees the calls of that, and none of the other.
        var library = try RawProgram.library()
        for name in ["first", "second"] { try library.add(name, [.set(0, 42), .exit]) }
        try library.add("calls_first", [.call(-5), .exit])
        try library.add("calls_second", [.call(-5), .exit])
        let provider = try Provider(try library.load())
        for kind in [ProgramKind.xdp, .socketFilter] {
            // The last first: the code of others is not there yet that could be taken.
            for (index, name) in ["first", "second", "calls_first", "calls_second"].enumerated().reversed() {
                let importer = try Raw.importer(of: name, from: provider, kind: kind).load()
                try expectEqual(try importer.run(), 42, "result of \(name) in \(kind.name)")
                try expectEqual(
                    try importer.opened().info.imports[0].image?.address, provider.info.jitedSymbols[index + 1],
                    "code of \(name) in \(kind.name)")
            }
        }
        try expectEqual(try provider.current().environments.map(\.ownCodeLength), [0, 0, 0, 0], "code of environments of their own")
    },
    Case("environments.refuse.map_of_programs_of_another_kind") {
        // The map is bound to programs with one buffer per packet when the provider is loaded.
        let map = try makeMap(BPF_MAP_TYPE_DEVMAP, valueSize: 4)
        let provider = try Raw.exporting(
            "answer", type: BPF_PROG_TYPE_XDP, slots: [map],
            bpf_insn.map(1, slot: 0) + [.set(2, 0), .set(3, 2), .helper(BPF_FUNC_redirect_map), .exit])
        try expectEqual(try Raw.importer(from: provider, kind: .xdp).load().run(), 2, "result in its own kind")
        var program = try Raw.importer(from: provider, kind: .xdp)
        program.flags |= UInt32(BPF_F_XDP_HAS_FRAGS)
        for _ in 0..<2 {
            try expectRefusal("it uses a map whose programs are of another kind", "it is not valid in programs of this kind") {
                _ = try program.load()
            }
        }
        try expectEqual(try provider.current().environments.map(\.error), [EINVAL], "environments")
    },
    Case("environments.export_that_is_called_an_exception_callback") {
        // The tag counts at the entry function only, for which the export's type stands in where it is verified for others.
        var library = try RawProgram.library()
        let types = try require(library.types, "types")
        try library.add("answer", taking: [types.long], [.set(0, 42), .exit])
        try types.tag("exception_callback:answer", declaration: library.functions[1].type)
        let provider = try Provider(try library.load())
        for kind in [ProgramKind.socketFilter, .xdp] {
            var program = try RawProgram.typed(type: kind.type)
            let answer = try program.extern("answer", [try require(program.types, "types").long])
            program.instructions = [.set(1, 0), .call(import: answer), .exit]
            program.slots = [provider]
            try expectEqual(try program.load().run(), 42, "result in \(kind.name)")
        }
        try expectEqual(try provider.current().environments.map(\.error), [0], "environments")
    },
    Case("environments.go_with_the_provider", unblinded: true) {
        var importer: OwnedDescriptor?
        do {
            let provider = try Raw.exporting(
                "first_word", type: BPF_PROG_TYPE_SCHED_CLS, takesContext: true, [.load32(0, 1, 0), .exit])
            importer = try Raw.importer(of: "first_word", from: provider, kind: .kprobe, takesContext: true).load()
        }
        try expectEqual(try symbolAddresses("first_word").count, 2, "symbols while there is an importer")
        withExtendedLifetime(importer) {}
        importer = nil
        try poll("all code of first_word is gone") { try symbolAddresses("first_word").isEmpty }
    },
    Case("environments.told_apart") {
        let provider = try Raw.answering()
        let kinds: [ProgramKind] = [
            .cgroupConnect,
            ProgramKind(
                name: "bind", type: BPF_PROG_TYPE_CGROUP_SOCK_ADDR, attachType: BPF_CGROUP_INET4_BIND.rawValue, constant: 1),
            .fentry,
            ProgramKind(
                name: "fentry", type: BPF_PROG_TYPE_TRACING, attachType: BPF_TRACE_FENTRY.rawValue,
                traced: "bpf_fentry_test2"),
            ProgramKind(
                name: "fexit", type: BPF_PROG_TYPE_TRACING, attachType: BPF_TRACE_FEXIT.rawValue, traced: "bpf_fentry_test1"),
            .fentry.sleepable, .kprobe, .kprobe.sleepable,
        ]
        for _ in 0..<2 {
            for kind in kinds { _ = try Raw.importer(from: provider, kind: kind).load() }
        }
        try expectEqual(try provider.current().environments.count, kinds.count, "environments")
        var program = try Raw.importer(from: provider, kind: .kprobe)
        program.license = "Proprietary"
        _ = try program.load()
        try withCapabilities(.bpfOnly) { _ = try Raw.importer(from: provider).load() }
        let environments = try provider.current().environments
        try expectEqual(environments.count, kinds.count + 2, "environments with another license and other capabilities")
        try expectEqual(environments.filter { $0.flags.contains(.sleepable) }.count, 2, "sleepable ones")
        try expectEqual(environments.filter { !$0.flags.contains(.gpl) }.count, 1, "those of another license")
        try expectEqual(environments.filter { !$0.flags.contains(.perfmon) }.count, 1, "those without CAP_PERFMON")
    },
    Case("environments.in_the_statistics", unblinded: true) {
        let provider = try Raw.answering()
        let start = "import of answer() from prog \(provider.info.id) (lib): "
        for (kind, words) in [
            (ProgramKind.socketFilter, "verified when that was loaded"),
            (.xdp, "verified for this kind of program now, 2 insns in "),
            (.xdp, "verified for this kind of program before, 2 insns in "),
        ] {
            let log = try Raw.importer(from: provider, kind: kind).loadWithLog(level: 4).log
            try expect(log.contains(start + words), "the log lacks `\(start + words)`: \(log)")
            if kind.type == BPF_PROG_TYPE_XDP { try expect(log.contains("shares the code"), "the log is: \(log)") }
        }
    },
    Case("environments.info_checks_record_sizes") {
        let provider = try Raw.answering()
        _ = try Raw.importer(from: provider, kind: .xdp).load()
        var info = bpflink_prog_info()
        info.environment_rec_size = 8
        try expectEqual(infoResult(provider.number, &info), -EINVAL, "info with records of 8 bytes")
        info = bpflink_prog_info()
        info.nr_environments = 1
        info.environment_rec_size = UInt32(MemoryLayout<bpflink_prog_environment>.size)
        try expectEqual(infoResult(provider.number, &info), -EFAULT, "info with environments at address 0")
        info = bpflink_prog_info()
        try withCapabilities([]) { try expectEqual(infoResult(provider.number, &info), 0, "result") }
        try expectEqual(info.nr_environments, 0, "environments told without CAP_BPF")
        try expectEqual(info.exports_size, 0, "bytes told without CAP_BPF")
    },
]

/// The addresses of all native functions of BPF programs that have a name.
func symbolAddresses(_ name: String) throws -> [UInt64] {
    try readFile("/proc/kallsyms").split(separator: "\n").filter { $0.hasSuffix("_\(name)\t[bpf]") }
        .map { try require(UInt64($0.prefix { $0 != " " }, radix: 16), "an address") }
}
