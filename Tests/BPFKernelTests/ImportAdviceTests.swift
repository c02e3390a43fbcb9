// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFKernel
import BPFObject
import TestFixtures
import Testing

/// What is told of functions before they are loaded.
@Suite struct ImportAdviceTests {
    private let facts: [String: FunctionFacts]
    private let reasons: [String: [ImportAdvice.Reason]]

    init() throws {
        let object = try Object(bytes: Fixture.bytes("facts"), name: "facts.bpf.o")
        let inspector = FunctionInspector(object)
        let all = object.functions.indices.map(inspector.facts(of:))
        let advice = ImportAdvice(object, facts: all)
        facts = Dictionary(uniqueKeysWithValues: zip(object.functions.map(\.name), all))
        reasons = Dictionary(
            uniqueKeysWithValues: object.functions.indices.map { (object.functions[$0].name, advice.reasons(against: $0)) })
    }

    @Test func theStackIsTheLowestAddressUsed() throws {
        // 25 words, and what the compiler spills.
        let stack = try #require(facts["uses_stack"]?.stack)
        #expect((200...264).contains(stack))
        #expect(facts["length"]?.stack == 0)
    }

    @Test func usesAreNamed() {
        #expect(facts["uses_stack"]?.maps == ["seen"])
        #expect(facts["uses_stack"]?.helpers.map(Helper.name) == ["map_update_elem"])
        #expect(facts["uses_more"]?.callees == ["uses_stack"])
        #expect(facts["measures"]?.data == [".bss"])
        #expect(facts["measures"]?.helpers.map(Helper.name) == ["get_prandom_u32", "skb_load_bytes"])
        #expect(Helper.name(100_000) == "#100000" && Helper.name(0) == "#0" && Helper.name(-1) == "#-1")
    }

    @Test func theContextIsFollowed() {
        #expect(facts["length"]?.context == .reads)
        #expect(facts["marks"]?.context == .writes)
        #expect(facts["measures"]?.context == .passes)
        // A helper without arguments does not get what is left in r1.
        #expect(facts["ignores"]?.context == [])
        #expect(facts["uses_stack"]?.context == [])
    }

    @Test func aChainOfCallsMayNeedTooMuchStack() throws {
        #expect(reasons["uses_stack"] == [])
        let words = try #require(reasons["uses_much_more"]?.first?.words)
        #expect(words.hasPrefix("needs ") && words.hasSuffix(" bytes of stack with what it calls, of at most 512"))
    }

    @Test func reasonsNameWhatStandsInTheWay() {
        #expect(
            reasons["uses_locked"]?.map(\.words) == ["uses the map `locked`, whose values have fields that the kernel manages"])
        #expect(reasons["length"]?.map(\.words) == ["takes a context as argument 1: `struct __sk_buff *`"])
        #expect(reasons["marks"] == [], "a program is no export")
    }

    @Test func whatDependsOnTheProgramIsFoundBelow() throws {
        let object = try Object(bytes: Fixture.bytes("dependent"), name: "dependent.bpf.o")
        let advice = ImportAdvice(object, facts: object.functions.indices.map(FunctionInspector(object).facts(of:)))
        func reasons(_ name: String) throws -> [ImportAdvice.Reason] {
            advice.reasons(against: try #require(object.functions.firstIndex { $0.name == name }))
        }
        let depends = "calls the helper get_current_task, whose use depends on the program"
        #expect(try reasons("depends_below") == [ImportAdvice.Reason(function: "helper_below", words: depends)])
        #expect(
            try reasons("passes_callback").map(\.words) == [
                "calls the helper loop, whose use depends on the program", "passes the callback `each`",
            ])
        #expect(
            try reasons("calls_kfunc").map(\.words) == [
                "calls the kernel function `bpf_rcu_read_lock`", "calls the kernel function `bpf_rcu_read_unlock`",
            ])
        #expect(try reasons("tail_calls").map(\.words).last == "tail-calls")
        #expect(try reasons("loads_packet").map(\.words).last == "loads packet data by BPF_LD_[ABS|IND]")
        #expect(try reasons("reads_kernel_variable").map(\.words).last == "uses the kernel variable `bpf_prog_active`")
    }
}
