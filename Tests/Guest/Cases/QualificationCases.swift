// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CLibbpf
import Glibc

/// An export is verified once for each kind of importer, the outcome stays: what each importer pays, and what is kept.
let qualificationCases: [Case] =
    ProgramKind.all.map { kind in
        Case("qualification.first_second_and_thousandth_\(kind.name)", unblinded: true) {
            let length: UInt32 = 500
            let provider = try Raw.exporting(
                "answer", type: kind.type == BPF_PROG_TYPE_XDP ? BPF_PROG_TYPE_SOCKET_FILTER : BPF_PROG_TYPE_XDP,
                [.set(0, 42)] + Array(repeating: .add(0, 0), count: Int(length)) + [.exit])
            let program = try Raw.importer(from: provider, kind: kind)
            var verified: [UInt32] = []
            for number in 1...1000 {
                let importer = try program.load()
                guard [1, 2, 1000].contains(number) else { continue }
                let info = try importer.opened().info
                verified.append(info.verifiedInstructions)
                try expectEqual(info.imports.map(\.environment), [0], "environment that importer \(number) says it uses")
                if kind.runs { try expectEqual(try importer.run(), 42, "result of importer \(number)") }
            }
            let own = UInt32(program.instructions.count)
            try expect(verified[0] >= own + length, "the first importer verified \(verified[0]) instructions")
            try expectEqual(Array(verified[1...]), [own, own], "instructions verified by the second and the thousandth")
            let environments = try provider.current().environments
            try expectEqual(environments.count, 1, "environments: \(environments)")
            try expectEqual(environments[0].type.rawValue, kind.type.rawValue, "type")
            try expectEqual(environments[0].attachType, kind.attachType, "attach type")
            try expectEqual(environments[0].attachTypeID, try kind.attachTypeID(), "attached kernel type")
            try expectEqual(environments[0].error, 0, "error")
            try expectEqual(environments[0].verifiedInstructions, verified[0] - own, "instructions of the qualification")
            try expectEqual(environments[0].ownCodeLength, 0, "bytes of code of its own")
            print("\(kind.name): \(verified) instructions, \(environments[0].verificationTime / 1000) us once")
        }
    } + [
        Case("qualification.nothing_in_the_providers_own_environment") {
            let provider = try Raw.answering()
            let importer = try Raw.importer(from: provider).load().opened()
            try expectEqual(importer.info.imports.map(\.environment), [nil], "environment")
            try expectEqual(importer.info.verifiedInstructions, 2, "instructions that the importer verified")
            try expectEqual(try provider.current().environments.count, 0, "environments")
        },
        Case("qualification.refusal_is_kept_with_its_log") {
            let provider = try Raw.redirecting()
            let program = try Raw.importer(of: "send", from: provider, kind: .kprobe)
            // The first asks for no log; the words are there for the others all the same.
            do {
                _ = try program.loadWithLog(level: 0)
                throw Failure("bpf_redirect() was accepted in a kprobe")
            } catch let refusal as RawProgram.Refusal {
                try expectEqual(refusal.error, EINVAL, "error number")
            }
            let first = try provider.current().environments
            try expectEqual(first.map(\.error), [EINVAL], "errors of the environments")
            for level: UInt32 in [1, 2, 4, 1] {
                try expectRefusal(
                    "program of this type cannot use helper bpf_redirect#23",
                    "cannot import send() from prog \(provider.info.id) (lib): it is not valid in programs of this kind",
                    "Change what the last lines above object to, or compile the function into this program."
                ) { _ = try program.loadWithLog(level: level) }
            }
            try expectEqual(try provider.current().environments, first, "environments after more attempts")
            try expectEqual(
                try Raw.importer(of: "send", from: provider, kind: .xdp).load().run(), 4,
                "result of an XDP importer afterwards")
        },
        Case("qualification.refusal_with_a_log_from_the_start") {
            let provider = try Raw.redirecting()
            let program = try Raw.importer(of: "send", from: provider, kind: .tracepoint)
            var logs: [String] = []
            for _ in 0..<2 {
                do { _ = try program.load() } catch let refusal as RawProgram.Refusal { logs.append(refusal.log) }
            }
            try expectEqual(logs.count, 2, "refusals")
            for log in logs {
                try expectEqual(
                    log.components("cannot use helper bpf_redirect#23"), 1, "times that the log names the helper:\n\(log)")
            }
        },
        Case("qualification.long_log_of_a_refusal_keeps_its_end") {
            let body = Array(repeating: bpf_insn.add(0, 1), count: 400)
            let provider = try Raw.exporting(
                "send", type: BPF_PROG_TYPE_XDP,
                [.set(0, 1)] + body + [.set(1, 1), .set(2, 0), .helper(BPF_FUNC_redirect), .exit])
            let program = try Raw.importer(of: "send", from: provider, kind: .kprobe)
            for _ in 0..<2 {
                try expectRefusal("cannot use helper bpf_redirect#23", "it is not valid in programs of this kind") {
                    _ = try program.loadWithLog(level: 2)
                }
            }
        },
        Case("qualification.first_importers_on_two_cpus_at_once", cpus: 2) {
            let kinds: [ProgramKind] = [.kprobe, .tracepoint, .schedCls, .xdp, .cgroupSkb]
            for _ in 0..<8 {
                let provider = try Raw.answering()
                let refusing = try Raw.redirecting(type: BPF_PROG_TYPE_SCHED_CLS)
                try concurrently(4) {
                    for kind in kinds {
                        let importer = try Raw.importer(from: provider, kind: kind).load()
                        if kind.runs { try expectEqual(try importer.run(), 42, "result") }
                        guard !kind.runs else { continue }
                        try expectRefusal("it is not valid in programs of this kind") {
                            _ = try Raw.importer(of: "send", from: refusing, kind: kind).load()
                        }
                    }
                }
                let environments = try provider.current().environments
                try expectEqual(
                    Set(environments.map(\.type.rawValue)), Set(kinds.map(\.type.rawValue)), "types of the environments")
                try expectEqual(environments.count, kinds.count, "environments, one for each kind")
                try expectEqual(try refusing.current().environments.map(\.error), [EINVAL, EINVAL, EINVAL], "refusals")
            }
        },
        Case("qualification.interrupted_by_a_signal_leaves_nothing") {
            // Long enough that the timer goes off in the midst of it.
            let provider = try Raw.exporting(
                "count", type: BPF_PROG_TYPE_XDP,
                [.set(0, 6_000), .add(0, -1), .jump(if: 0, equals: 0, 1), .jump(-3), .exit])
            let program = try Raw.importer(of: "count", from: provider, kind: .schedCls)
            signal(SIGALRM) { _ in }
            var timer = itimerval(
                it_interval: timeval(tv_sec: 0, tv_usec: 1000), it_value: timeval(tv_sec: 0, tv_usec: 1000))
            setitimer(__itimer_which_t(0), &timer, nil)
            var errors: [CInt] = []
            for _ in 0..<5 {
                do { _ = try program.load() } catch let refusal as RawProgram.Refusal { errors.append(refusal.error) }
            }
            timer = itimerval()
            setitimer(__itimer_which_t(0), &timer, nil)
            try expect(!errors.isEmpty && errors.allSatisfy { $0 == EAGAIN }, "errors of interrupted loads: \(errors)")
            if errors.count == 5 { try expectEqual(try provider.current().environments.count, 0, "environments") }
            try expectEqual(try program.load().run(), 0, "result of an importer that was left alone")
            try expectEqual(try provider.current().environments.map(\.error), [0], "errors of the environments")
        },
        // It may be one of a module that is still being loaded: the same import succeeds the next time.
        Case("qualification.refused_target_leaves_nothing") {
            let lower = try Raw.answering(8)
            let upper = try Raw.passing("answer", of: lower, as: "pass")
            let kind = ProgramKind(
                name: "fexit", type: BPF_PROG_TYPE_TRACING, attachType: BPF_TRACE_FEXIT.rawValue, traced: "do_exit")
            try expectRefusal("Attaching fexit/fsession/fmod_ret to __noreturn function 'do_exit' is rejected.") {
                _ = try Raw.importer(of: "pass", from: upper, kind: kind).load()
            }
            try expectEqual(try [upper, lower].map { try $0.current().environments.count }, [0, 0], "environments")
            _ = try Raw.importer(of: "pass", from: upper, kind: .fentry).load()
            try expectEqual(try [upper, lower].map { try $0.current().environments.map(\.error) }, [[0], [0]], "their errors")
        },
        Case("qualification.stays_when_the_importer_fails_later") {
            let provider = try Raw.answering()
            var program = try Raw.importer(from: provider, kind: .xdp)
            program.instructions.insert(.load(0, 5, 0), at: 1)
            try expectRefusal("R5 !read_ok") { _ = try program.load() }
            try expectEqual(try provider.current().environments.map(\.error), [0], "errors of the environments")
            let importer = try Raw.importer(from: provider, kind: .xdp).load()
            try expectEqual(try importer.opened().info.verifiedInstructions, 2, "instructions verified by the next importer")
            try expectEqual(try importer.run(), 42, "its result")
        },
        Case("qualification.through_a_provider_of_the_provider") {
            let lower = try Raw.answering(8)
            let upper = try Raw.passing("answer", of: lower, as: "pass")
            let program = try Raw.importer(of: "pass", from: upper, kind: .xdp)
            let first = try program.load()
            try expectEqual(try first.run(), 8, "result through two programs")
            // 2 of its own, 2 of pass(), 2 of answer().
            try expectEqual(try first.opened().info.verifiedInstructions, 6, "instructions verified by the first importer")
            try expectEqual(try program.load().opened().info.verifiedInstructions, 2, "and by the second")
            try expectEqual(
                try lower.current().environments.map(\.type.rawValue), [6], "types that the lower one is verified for")
            try expectEqual(try upper.current().environments.map(\.type.rawValue), [6], "and the upper one")
        },
        Case("qualification.refusal_below_a_provider") {
            let lower = try Raw.redirecting()
            let upper = try Raw.passing("send", of: lower, as: "pass", type: BPF_PROG_TYPE_XDP)
            // The kept end of the log has both imports; the first importer's log has the reason as well.
            for reason in ["cannot use helper bpf_redirect#23", ""] {
                try expectRefusal(
                    reason, "cannot import send() from prog \(lower.info.id) (lib)",
                    "cannot import pass() from prog \(upper.info.id) (lib): it is not valid in programs of this kind"
                ) { _ = try Raw.importer(of: "pass", from: upper, kind: .kprobe).load() }
            }
            try expectEqual(
                try Raw.importer(of: "pass", from: upper, kind: .xdp).load().run(), 4, "result where it is valid")
        },
        Case("qualification.of_four_levels_at_once") {
            var levels = [try Raw.answering(9)]
            for level in 2...5 {
                levels.append(
                    try Raw.passing(level == 2 ? "answer" : "level\(level - 1)", of: levels[level - 2], as: "level\(level)"))
            }
            let top = try Raw.importer(of: "level5", from: levels[4], kind: .xdp)
            for _ in 0..<2 {
                try expectRefusal(
                    "too many programs it calls into are to be verified for this kind of program at once",
                    "Load a program of this kind first that imports from the programs it calls into."
                ) { _ = try top.load() }
            }
            for level in levels { try expectEqual(try level.current().environments.count, 0, "environments left behind") }
            let lower = try Raw.importer(of: "level4", from: levels[3], kind: .xdp)
            try expectEqual(try lower.load().run(), 9, "result through four levels")
            try expectEqual(try top.load().run(), 9, "result through five, four of which are known")
            try expectEqual(
                try top.load().opened().info.verifiedInstructions, 2, "instructions verified by the last importer")
        },
        Case("qualification.map_bound_to_the_provider_later") {
            let lower = try Raw.answering(8)
            let map = try makeMap()
            var program = try RawProgram.library("upper")
            let function = try program.extern("answer")
            program.slots = [lower, map]
            try program.add(
                "pass", [.call(import: function)] + bpf_insn.mapValue(1, slot: 1) + [.store(1, 0, register: 0), .exit])
            let upper = try Provider(try program.load())
            let bound = try makeMap()
            try expectEqual(bpf_prog_bind_map(upper.number, bound.number, nil), 0, "result of binding a map")
            try expectEqual(try Raw.importer(of: "pass", from: upper, kind: .xdp).load().run(), 8, "result")
        },
        Case("qualification.maps_bound_while_it_runs", cpus: 2) {
            let maps = try (0..<2).map { _ in try makeMap() }
            let provider = try Raw.exporting(
                "answer", slots: maps, bpf_insn.mapValue(1, slot: 1) + [.load(0, 1, 0), .add(0, 5), .exit])
            try concurrently(2) {
                for round in 0..<40 {
                    let map = try makeMap()
                    try expectEqual(bpf_prog_bind_map(provider.number, map.number, nil), 0, "result of binding a map")
                    let kind = ProgramKind.all[round % ProgramKind.all.count]
                    let importer = try Raw.importer(from: provider, kind: kind).load()
                    if kind.runs { try expectEqual(try importer.run(), 5, "result") }
                }
            }
        },
        Case("qualification.limit_of_1024") {
            let count = 200
            var library = try RawProgram.library()
            for index in 0..<count { try library.add("f\(index)", [.set(0, Int32(index)), .exit]) }
            let provider = try Provider(try library.load())
            func importer(_ kind: ProgramKind, _ functions: Range<Int>) throws -> RawProgram {
                var program = try Raw.importer(of: "f0", from: provider, kind: kind)
                program.instructions = try functions.map { .call(import: try program.extern("f\($0)")) } + kind.ending
                return program
            }
            for kind in [ProgramKind.kprobe, .tracepoint, .rawTracepoint, .perfEvent, .xdp] {
                _ = try importer(kind, 0..<count).load()
            }
            try expectEqual(try importer(.schedCls, 0..<24).load().run(), 23, "result of the last that there is room for")
            try expectEqual(try provider.current().environments.count, 1024, "environments")
            try expectRefusal(
                "the program that exports it has been verified for too many kinds of programs",
                "Load that program once more."
            ) { _ = try importer(.schedCls, 24..<25).load() }
            try expectEqual(try importer(.schedCls, 0..<24).load().run(), 23, "result of a kind that is known")
        },
    ]

extension Raw {
    /// A provider of `int send(void)`, which calls a helper that means something else to each type, and nothing to most.
    static func redirecting(type: bpf_prog_type = BPF_PROG_TYPE_XDP) throws -> Provider {
        try exporting("send", type: type, [.set(1, 1), .set(2, 0), .helper(BPF_FUNC_redirect), .exit])
    }
}

extension String {
    /// How often a text occurs.
    func components(_ text: String) -> Int { ranges(of: text).count }
}
