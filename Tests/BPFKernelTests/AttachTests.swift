// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject
import CLibbpf
import Glibc
import LoadComparison
import SystemPackage
import TestFixtures
import Testing

@testable import BPFKernel

extension RunningKernel {
    /// Attachments of every kind: the program runs, goes on running by its pins alone, and stops when these are removed.
    @Suite struct AttachTests {
        struct Kind: Sendable, CustomStringConvertible {
            var program: String
            var target: String
            /// Where the program counts.
            var slot: Int32
            /// What makes it run; nil where nothing that is at hand does.
            var event: (@Sendable () throws -> Void)?

            var description: String { "\(program) at \(target)" }
        }

        static let kinds = [
            Kind(program: "on_queue", target: "ingress=lo", slot: 0, event: sendToLoopback),
            Kind(program: "on_queue", target: "egress=lo", slot: 0, event: sendToLoopback),
            Kind(program: "on_lookup", target: "netns=/proc/self/ns/net", slot: 1, event: sendToLoopback),
            Kind(program: "on_flow", target: "netns=/proc/self/ns/net", slot: 2, event: nil),
            Kind(program: "on_sample", target: "perf_event=cpu-clock@1000", slot: 3, event: { usleep(100_000) }),
            Kind(program: "on_frame", target: "xdp=lo", slot: 4, event: sendToLoopback),
            Kind(program: "on_question", target: "section", slot: 5, event: { _ = getppid() }),
        ]

        @Test(arguments: kinds, [false, true])
        func programsRunUntilTheirPinsAreRemoved(kind: Kind, interposed: Bool) throws {
            let pins = try ScratchPins("kinds")
            var choice = LinkOptions()
            choice.only = [kind.program]
            let plan = try link(try Object(bytes: Fixture.bytes("attach_kinds"), name: "attach_kinds"), options: choice)
            let target = try #require(AttachTarget(kind.target))
            #expect("\(target)" == kind.target)
            let map: UInt32
            let links: [String]
            do {
                let loaded = interposed
                    ? try Loader.loadInterposed(plan, providers: [], options: LoadOptions())
                    : try Loader.load(plan, providers: [], options: LoadOptions())
                map = try #require(loaded.maps.first { $0.name == "hits" }).id
                try LoadedObject.attach([loaded], to: [target])
                try LoadedObject.pin([loaded], at: [kind.program: "\(pins.path)/it"])
                links = loaded.programs[0].attachments.compactMap(\.pin)
            }
            #expect(!links.isEmpty)
            let held = OpenMap(map)
            if let event = kind.event {
                let before = try element(kind.slot, ofMap: map)
                try event()
                #expect(try element(kind.slot, ofMap: map) > before)
            }
            let id = try OpenProgram.open(.pinned("\(pins.path)/it")).info.id
            #expect(PinIndex.read().links(ofProgram: id) == links.sorted())

            let removed = try Unloader.unload("\(pins.path)/it")
            #expect(removed.map(\.linkPins) == [links.sorted()])
            #expect(try PinPath.entries(of: pins.path).isEmpty)
            // The links are freed after a grace period, and let go of the program then; some hooks take one link at a time.
            try #require(isGone(id), "the program is still there")
            if let event = kind.event {
                let last = try element(kind.slot, ofMap: map)
                try event()
                #expect(try element(kind.slot, ofMap: map) == last)
            }
            withExtendedLifetime(held) {}
        }

        /// Waits for a program to be freed, ten seconds at most.
        private func isGone(_ id: UInt32) -> Bool {
            for _ in 0..<1000 {
                let descriptor = bpf_prog_get_fd_by_id(id)
                if descriptor < 0 { return errno == ENOENT }
                close(descriptor)
                usleep(10_000)
            }
            return false
        }

        @Test func aMapOfFunctionsIsInUseUntilItsPinIsRemoved() throws {
            let pins = try ScratchPins("struct_ops")
            let object = try #require(RealObject.all(of: "clang").first { $0.name == "struct_ops" })
            let isKnown = { () throws -> Bool in
                try ProcFile.text("/proc/sys/net/ipv4/tcp_available_congestion_control").contains("bpflink_real")
            }
            var options = LoadOptions()
            options.attach = [.section]
            options.pin = "\(pins.path)/all"
            do {
                let loaded = try Loader.load(try link(try object.object()), providers: [], options: options)
                #expect(loaded.maps.compactMap { $0.attachment?.pin } == ["\(pins.path)/all/real_congestion"])
                #expect(loaded.programs.allSatisfy { $0.pin != nil })
            }
            #expect(try isKnown())
            // Alone, and as a part of its directory.
            for path in ["all/real_congestion", "all"] {
                let plan = try Unloader.plan(["\(pins.path)/\(path)"])
                #expect(plan.structOps == (path == "all" ? [] : ["\(pins.path)/all/real_congestion"]))
                try plan.run()
                #expect(!(try isKnown()))
            }
            #expect(try PinPath.entries(of: pins.path).isEmpty)
            _ = try Loader.load(try link(try object.object()), providers: [], options: options)
            #expect(try isKnown())
            let pin = "\(pins.path)/all/real_congestion"
            let plan = try Unloader.plan([pin, "\(pins.path)/all", pin])
            #expect(plan.structOps == [pin])
            try plan.run()
            #expect(!(try isKnown()))
            #expect(try PinPath.entries(of: pins.path).isEmpty)
        }

        @Test func aMapOfFunctionsThatIsNotPinnedGoesOutOfUse() throws {
            let object = try #require(RealObject.all(of: "clang").first { $0.name == "struct_ops" })
            let loaded = try Loader.load(try link(try object.object()), providers: [], options: LoadOptions())
            try LoadedObject.attach([loaded], to: [.section])
            let error = try kernelError { try LoadedObject.attach([loaded], to: [.section]) }
            #expect(error.message.hasPrefix("the functions of `real_congestion` cannot be attached: "))
        }

        @Test(arguments: [
            ("on_queue", "ingress=nowhere0", "`on_queue` cannot be attached to ingress=nowhere0: No such device"),
            ("on_lookup", "netns=/proc/self/comm", "`on_lookup` cannot be attached to netns=/proc/self/comm: "),
            ("on_lookup", "netns=/nowhere", "`on_lookup` cannot be attached to netns=/nowhere: No such file or directory"),
            ("on_queue", "section", "nothing says where to attach `on_queue` (sched_cls)"),
            ("on_frame", "ingress=lo", "no program of the object can be attached to `ingress=lo`"),
        ])
        func whatCannotBeAttachedIsSaid(program: String, target: String, words: String) throws {
            var choice = LinkOptions()
            choice.only = [program]
            let plan = try link(try Object(bytes: Fixture.bytes("attach_kinds"), name: "attach_kinds"), options: choice)
            var options = LoadOptions()
            options.attach = [try #require(AttachTarget(target))]
            let error = try kernelError { _ = try Loader.load(plan, providers: [], options: options) }
            #expect(error.code == .attach)
            #expect(error.message.hasPrefix(words), "\(error.message)")
            #expect(try noProgram(named: program))
        }

        @Test(arguments: ["moon", "xdp=", "perf_event=nothing", "perf_event=cpu-clock@", "perf_event=cpu-clock@0", "tc=lo"])
        func whatIsNoTargetIsNotTaken(text: String) {
            #expect(AttachTarget(text) == nil)
        }

        /// libbpf pins a map by its name while it loads; if a later step fails, the pin goes, too, unless it was there before.
        @Test func aFailedStepLeavesNoPinOfAMap() throws {
            let path = "/sys/fs/bpf/bpflink_pinned"
            unlink(path)
            defer { unlink(path) }
            let object = try #require(RealObject.all(of: "clang").first { $0.name == "pinned" })
            let plan = try link(try object.object())
            var failing = LoadOptions()
            failing.attach = [.xdp("lo")]
            _ = try kernelError { _ = try Loader.load(plan, providers: [], options: failing) }
            #expect(!PinPath.exists(path))
            _ = try Loader.load(plan, providers: [], options: LoadOptions())
            #expect(PinPath.exists(path))
            _ = try kernelError { _ = try Loader.load(plan, providers: [], options: failing) }
            #expect(PinPath.exists(path))
        }
    }
}

/// Keeps a map from going away.
private final class OpenMap {
    private let descriptor: AnyDescriptor
    init(_ id: UInt32) { descriptor = AnyDescriptor(owning: bpf_map_get_fd_by_id(id)) }
}
