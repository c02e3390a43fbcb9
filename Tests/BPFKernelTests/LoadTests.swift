// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject
import CLibbpf
import Glibc
import SystemPackage
import TestFixtures
import Testing

@testable import BPFKernel

/// What asks the running kernel; nothing here needs a kernel with FD + name calls.
@Suite(.aloneOnTheKernel, .enabled(if: isRoot, "loading programs takes root")) enum RunningKernel {}

extension RunningKernel {
    @Suite struct LoadTests {
        /// bpflink in libbpf's place makes the very program that libbpf alone makes.
        @Test(arguments: ["plain", "attachable", "typed"])
        func bothWaysLoadTheSameProgram(name: String) throws {
            let plan = try Fixture.plan(name)
            let plain = try Loader.load(plan, providers: [], options: LoadOptions())
            let interposed = try Loader.loadInterposed(plan, providers: [], options: LoadOptions())
            #expect(plain.programs.count == interposed.programs.count)
            #expect(plain.maps.map { $0.name } == interposed.maps.map { $0.name })
            for (one, other) in zip(plain.programs, interposed.programs) {
                #expect(one.name == other.name)
                #expect(one.info.type == other.info.type)
                #expect(one.info.tag == other.info.tag)
                #expect(one.info.attachTypeID == other.info.attachTypeID)
                #expect(one.info.functions == other.info.functions)
                #expect(one.info.translatedLength == other.info.translatedLength)
                #expect(one.info.jitedLengths == other.info.jitedLengths)
                #expect(one.info.verifiedInstructions == other.info.verifiedInstructions)
                #expect(one.info.mapIDs.count == other.info.mapIDs.count)
                #expect(one.info.btfID != nil && other.info.btfID != nil)
                #expect(try Self.operations(of: one) == Self.operations(of: other))
            }
        }

        @Test(arguments: [false, true])
        func aRefusedProgramLeavesNothingBehind(interposed: Bool) throws {
            let pins = try ScratchPins("refused")
            var options = LoadOptions()
            options.pin = "\(pins.path)/deeper/still"
            let plan = try Fixture.plan("refused")
            let error = try kernelError {
                _ = interposed
                    ? try Loader.loadInterposed(plan, providers: [], options: options)
                    : try Loader.load(plan, providers: [], options: options)
            }
            #expect(error.code == .verifier)
            #expect(error.message.contains("`rejected`"))
            #expect(error.notes.contains { $0.contains("invalid mem access") })
            #expect(error.verifierLog?.text.contains("processed") == true)

            #expect(try noProgram(named: "accepted", "rejected"))
            // Maps are freed after a grace period.
            #expect(try noMap(named: "refused_map"))
            #expect(try PinPath.entries(of: pins.path).isEmpty)
        }

        /// The verifier's log does not fit the first buffer: 64 KiB hold some 1000 instructions' worth.
        @Test func theLogBufferGrows() throws {
            let scalar = bpf_insn(code: UInt8(BPF_ALU64 | BPF_ADD), dst_reg: 0, src_reg: 0, off: 0, imm: 1)
            let load = ProgramLoad(
                type: ProgramType(rawValue: BPF_PROG_TYPE_SOCKET_FILTER.rawValue), name: "bpflink_long", license: "GPL",
                instructions: [Instructions.clearResult] + Array(repeating: scalar, count: 5_000) + [Instructions.exit],
                logLevel: 2)
            let outcome = try load.run()
            #expect(outcome.log.text.utf8.count > 1 << 16)
            #expect(outcome.log.text.contains("processed 5002 insns"))
        }

        @Test func pinsComeAndGo() throws {
            let pins = try ScratchPins("pins")
            var options = LoadOptions()
            options.pin = "\(pins.path)/one"
            let id: UInt32
            do {
                let loaded = try Loader.load(try Fixture.plan("plain"), providers: [], options: options)
                id = loaded.programs[0].info.id
                #expect(loaded.programs[0].pin == options.pin)
            }
            #expect(try OpenProgram.open(.pinned("\(pins.path)/one")).info.id == id)

            let again = try kernelError { _ = try Loader.load(try Fixture.plan("plain"), providers: [], options: options) }
            #expect(again.code == .pin)
            #expect(again.message == "\(pins.path)/one exists already")

            let removed = try Unloader.unload("\(pins.path)/one")
            #expect(removed.map { $0.id } == [id])
            #expect(try PinPath.entries(of: pins.path).isEmpty)
        }

        @Test func oneProgramGoesIntoADirectoryThatIsThere() throws {
            let pins = try ScratchPins("directory")
            var options = LoadOptions()
            options.pin = pins.path
            let loaded = try Loader.load(try Fixture.plan("plain"), providers: [], options: options)
            #expect(loaded.programs.map { $0.pin } == ["\(pins.path)/filter"])
        }

        /// Attached by libbpf and by bpflink's own rules alike: events are counted, then the pins hold the attachment, then not.
        @Test(arguments: [false, true])
        func attachmentsCountAndOutliveTheLoaderByTheirPins(interposed: Bool) throws {
            let pins = try ScratchPins("attach")
            let plan = try Fixture.plan("attachable")
            let targets: [AttachTarget] = [.section, .cgroup(try Self.cgroup())]
            let map: UInt32
            do {
                let loaded = interposed
                    ? try Loader.loadInterposed(plan, providers: [], options: LoadOptions())
                    : try Loader.load(plan, providers: [], options: LoadOptions())
                map = try #require(loaded.maps.first { $0.name == "hits" }).id
                #expect(try element(0, ofMap: map) == 0)
                try LoadedObject.attach([loaded], to: targets)
                try LoadedObject.pin([loaded], at: PinPath.layout("\(pins.path)/all", objects: [loaded.programs.map { $0.name }]))
                #expect(loaded.programs.map { $0.attachments.count } == [1, 1])
            }
            let calls = try element(0, ofMap: map)
            let packets = try element(1, ofMap: map)
            try sendToLoopback()
            #expect(try element(0, ofMap: map) > calls)
            #expect(try element(1, ofMap: map) > packets)
            #expect(
                try PinPath.entries(of: "\(pins.path)/all") == ["on_call", "on_call_link", "on_packet", "on_packet_link"])

            let number = bpf_map_get_fd_by_id(map)
            try #require(number >= 0)
            defer { close(number) }
            let removed = try Unloader.unload("\(pins.path)/all")
            #expect(removed.map { $0.linkPins.count } == [1, 1])
            // The links are freed after a grace period.
            usleep(200_000)
            let last = try element(1, ofMap: map)
            try sendToLoopback()
            #expect(try element(1, ofMap: map) == last)
        }

        @Test func aProgramThatNoTargetTakesIsAnError() throws {
            let loaded = try Loader.load(try Fixture.plan("attachable"), providers: [], options: LoadOptions())
            #expect(try kernelError { try LoadedObject.attach([loaded], to: [.section]) }.message.contains("`on_packet` (cgroup_skb)"))
            #expect(try kernelError { try LoadedObject.attach([loaded], to: [.xdp("lo")]) }.message.contains("`xdp=lo`"))
            #expect(try kernelError { try LoadedObject.attach([loaded], to: [.section, .cgroup("/nowhere")]) }.errno == .noSuchFileOrDirectory)
        }

        @Test func aCallOfAnUnboundWeakImportIsNamed() throws {
            let plan = try Fixture.plan("weak_call")
            let error = try kernelError { _ = try Loader.load(plan, providers: [], options: LoadOptions()) }
            #expect(error.code == .verifier)
            #expect(error.notes.last == "this is a call of `bpf_subprog_scale`, a weak import that is bound to nothing")
            #expect(error.help.first?.hasPrefix("`--import REF:bpf_subprog_scale` binds it") == true)
        }

        @Test func aTypeIsAskedForWhereTheSectionTellsNone() throws {
            let plan = try Fixture.plan("untyped")
            let error = try kernelError { _ = try Loader.load(plan, providers: [], options: LoadOptions()) }
            #expect(error.message.contains("`mine`"))
            var options = LoadOptions()
            options.type = SectionType(section: "xdp")
            for loaded in [
                try Loader.load(plan, providers: [], options: options),
                try Loader.loadInterposed(plan, providers: [], options: options),
            ] {
                #expect(loaded.programs[0].info.type.description == "xdp")
            }
        }

        @Test(arguments: [("relative", "not absolute"), ("/tmp/x", "not in a BPF file system"), ("/sys/fs/bpf/a.b", "has a dot")])
        func impossiblePinsAreRefusedBeforeLoading(path: String, words: String) throws {
            var options = LoadOptions()
            options.pin = path
            let error = try kernelError { _ = try Loader.load(try Fixture.plan("plain"), providers: [], options: options) }
            #expect(error.code == .pin)
            #expect(error.message.contains(words))
        }

        /// Opcodes, registers and offsets of the instructions that the kernel runs; immediates hold ids, which differ.
        private static func operations(of program: LoadedProgram) throws -> [[UInt8]] {
            let bytes = try ProgramInfo.translatedInstructions(of: OpenProgram.open(.id(program.info.id)).descriptor)
            #expect(!bytes.isEmpty)
            return stride(from: 0, to: bytes.count, by: 8).map { Array(bytes[$0..<$0 + 4]) }
        }

        /// The cgroup v2 hierarchy's root.
        private static func cgroup() throws -> String {
            let places = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
            return try #require(places.first { PinPath.exists("\($0)/cgroup.controllers") }, "no cgroup v2 is mounted")
        }
    }
}
