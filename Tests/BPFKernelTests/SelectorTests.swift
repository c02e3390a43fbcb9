// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Glibc
import Testing

@testable import BPFKernel

extension RunningKernel {
    @Suite struct SelectorTests {
        @Test(arguments: [
            ("7", ProgramSelector.descriptor(7)), ("id=42", .id(42)), ("pinned=/sys/fs/bpf/lib", .pinned("/sys/fs/bpf/lib")),
            ("name=lib", .name("lib")), ("tag=6DEEF7357E7B4530", .tag("6deef7357e7b4530")), ("pinned=/a=b", .pinned("/a=b")),
        ])
        func wordsAreBpftools(text: String, selector: ProgramSelector) {
            #expect(ProgramSelector(text) == selector)
        }

        @Test(arguments: ["", "-1", "x", "id=", "id=x", "id=-1", "tag=12", "tag=zzzzzzzzzzzzzzzz", "pin=/x", "=7"])
        func otherWordsAreNone(text: String) {
            #expect(ProgramSelector(text) == nil)
        }

        @Test func aClosedDescriptorIsNotOpen() throws {
            let error = try kernelError { _ = try OpenProgram.open(.descriptor(999)) }
            #expect(error.code == .notFound)
            #expect(error.message.hasPrefix("FD 999 is not open"))
        }

        @Test func aDescriptorOfSomethingElseIsNoProgram() throws {
            let number = open("/dev/null", O_RDONLY | O_CLOEXEC)
            defer { close(number) }
            let error = try kernelError { _ = try OpenProgram.open(.descriptor(number)) }
            #expect(error.code == .notAProgram)
            #expect(error.notes == ["it is /dev/null"])
        }

        @Test(.enabled(if: isRoot)) func aMapIsNoProgram() throws {
            let number = bpf_map_create(BPF_MAP_TYPE_ARRAY, "bpflink_test", 4, 4, 1, nil)
            try #require(number >= 0)
            defer { close(number) }
            let error = try kernelError { _ = try OpenProgram.open(.descriptor(number)) }
            #expect(error.code == .notAProgram)
            #expect(error.notes == ["it is anon_inode:bpf-map"])
        }

        @Test(.enabled(if: isRoot)) func whatIsNotThereIsNotFound() throws {
            for selector in [.id(4_000_000_000), .name("bpflink_nobody"), .pinned("/sys/fs/bpf/bpflink_nobody")] as [ProgramSelector] {
                #expect(try kernelError { _ = try OpenProgram.open(selector) }.code == .notFound)
            }
            let file = try kernelError { _ = try OpenProgram.open(.pinned("/dev/null")) }
            #expect(file.code == .notAProgram)
        }

        @Test(.enabled(if: isRoot)) func aNameOfTwoProgramsListsBoth() throws {
            let probe = ProgramLoad(
                type: ProgramType(rawValue: BPF_PROG_TYPE_SOCKET_FILTER.rawValue), name: "bpflink_twin", license: "GPL",
                instructions: Instructions.returnZero)
            let first = try OpenProgram(try probe.run().takeProgram())
            #expect(try OpenProgram.open(.name("bpflink_twin")).info.id == first.info.id)
            #expect(try OpenProgram.open(.id(first.info.id)).info == first.info)

            let second = try OpenProgram(try probe.run().takeProgram())
            let error = try kernelError { _ = try OpenProgram.open(.name("bpflink_twin")) }
            #expect(error.code == .ambiguous)
            #expect(error.notes.count == 2)
            for program in [first, second] {
                #expect(error.notes.contains { $0.contains("id=\(program.info.id) ") })
            }
        }
    }
}
