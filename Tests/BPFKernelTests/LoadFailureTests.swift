// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject
import LoadComparison
import SystemPackage
import Testing

@testable import BPFKernel

/// What is told of libbpf's messages.
@Suite struct LastWordsTests {
    @Test func theReasonIsToldWithWhatCameOfIt() {
        let failure = CallFailure(
            errno: .invalidArgument,
            log: [
                "libbpf: map 'first': created successfully, fd=4",
                "libbpf: couldn't reuse pinned map at '/sys/fs/bpf/second': parameter mismatch",
                "libbpf: map 'second': error reusing pinned map",
                "libbpf: map 'second': failed to create: Invalid argument(-22)",
                "libbpf: failed to load object 'two'",
            ])
        #expect(
            failure.lastWords == [
                "couldn't reuse pinned map at '/sys/fs/bpf/second': parameter mismatch", "map 'second': error reusing pinned map",
                "map 'second': failed to create: Invalid argument(-22)",
            ])
    }

    @Test func numbersWithoutWordsAreLeftOut() {
        let failure = CallFailure(
            errno: Errno(rawValue: 524),
            log: ["libbpf: prog 'f': BPF program load failed: ERROR: strerror_r(524)=22", "libbpf: prog 'f': failed to load: -524"])
        #expect(failure.reason == "Operation not supported (ENOTSUPP)")
        #expect(failure.lastWords == ["prog 'f': failed to load: -524"])
        #expect(CallFailure(errno: .badFileDescriptor, log: []).lastWords.isEmpty)
    }
}

extension RunningKernel {
    @Suite struct ForcedTypeTests {
        /// libbpf 1.1 would end the process.
        @Test(arguments: ["typed", "replace", "struct_ops"])
        func aProgramThatIsBoundToTypesOfTheKernelHasNoOtherType(name: String) throws {
            let object = try #require(RealObject.all(of: "clang").first { $0.name == name }).object()
            for program in object.entryPrograms where program.sectionName != "syscall" {
                var choice = LinkOptions()
                choice.only = [program.name]
                var options = LoadOptions()
                options.type = SectionType(section: "xdp")
                let plan = try link(object, options: choice)
                let error = try kernelError { _ = try Loader.load(plan, providers: [], options: options) }
                #expect(error.message.hasPrefix("`\(program.name)` cannot be of type xdp: its section `\(program.sectionName)` "))
            }
        }
    }
}
