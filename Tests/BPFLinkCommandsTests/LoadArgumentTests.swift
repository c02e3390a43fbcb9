// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
@testable import BPFLinkCommands
import BPFLink
import Testing

/// What `load` reads from the values of its options.
@Suite struct LoadArgumentTests {
    @Test(arguments: [
        (["a"], ["a"]), (["a,b", "c"], ["a", "b", "c"]), (["a, b"], ["a", "b"]), ([" a ,b "], ["a", "b"]), (["a,"], ["a"]),
        ([""], []), ([" , "], []),
    ])
    func namesAreSeparatedByCommasAndSpaces(lists: [String], names: [String]) {
        #expect(LoadCommand.names(lists) == names)
    }

    @Test func theLastColonOfARequestSeparates() throws {
        #expect(try ImportArgument.read("pinned=/a:b:f") == ImportArgument(source: .program(.pinned("/a:b")), function: "f"))
        #expect(try ImportArgument.read("object=./a.bpf.o:f") == ImportArgument(source: .object("./a.bpf.o"), function: "f"))
    }

    @Test func wordsBehindTwoDashesAreACommandIfOneIsAskedFor() {
        func separated(_ words: String...) -> [String] { LoadCommand.separatingCommand(in: words) }
        #expect(separated("load", "x.bpf.o", "--exec", "--", "ls", "-l") == ["load", "x.bpf.o", "--exec", "--exec-word=ls", "--exec-word=-l"])
        #expect(separated("load", "--", "-x.bpf.o") == ["load", "--", "-x.bpf.o"])
        #expect(separated("load", "--", "--exec") == ["load", "--", "--exec"])
        #expect(separated("inspect", "--exec", "--", "x") == ["inspect", "--exec", "--", "x"])
    }

    @Test func aTargetBehindAttachIsOneRightOrWrong() {
        func completed(_ words: String...) -> [String] { AttachTarget.completingBareOptions(in: words) }
        #expect(completed("load", "--attach", "x.bpf.o") == ["load", "--attach=section", "x.bpf.o"])
        #expect(completed("load", "--attach", "xdp", "x.bpf.o") == ["load", "--attach", "xdp", "x.bpf.o"])
        #expect(completed("load", "--attach", "perf_event=cycles") == ["load", "--attach", "perf_event=cycles"])
    }
}
