// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFKernel
import BPFObject
import TestFixtures
import Testing

/// What is told of functions before they are loaded.
@Suite struct ImportAdviceTests {
    private let facts: [String: FunctionFacts]
    private let reasons: [String: [ImportAdvice.Reason]]
    private let conditions: [String: [ImportAdvice.Reason]]

    init() throws {
        let object = try Object(bytes: Fixture.bytes("facts"), name: "facts.bpf.o")
        let inspector = FunctionInspector(object)
        let all = object.functions.indices.map(inspector.facts(of:))
        let advice = ImportAdvice(object, facts: all)
        facts = Dictionary(uniqueKeysWithValues: zip(object.functions.map(\.name), all))
        reasons = Dictionary(
            uniqueKeysWithValues: object.functions.indices.map { (object.functions[$0].name, advice.reasons(against: $0)) })
        conditions = Dictionary(
            uniqueKeysWithValues: object.functions.indices.map { (object.functions[$0].name, advice.conditions(of: $0)) })
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

    @Test func whatOnlySomeProgramsHaveIsNoObstacle() {
        #expect(reasons["uses_locked"] == [] && conditions["uses_locked"] == [])
        #expect(reasons["length"] == [])
        #expect(
            conditions["length"]?.map(\.words) == [
                "takes a context of socket_filter, sched_cls, sched_act, cgroup_skb programs as argument 1: `struct __sk_buff *`"
            ])
        #expect(conditions["marks"] == [], "a program is no export")
    }

    @Test func whatStandsInTheWayIsToldInTheKernelsWords() throws {
        let own = try Advised("steps_own")
        #expect(try own.reasons("makes_tail_calls").map(\.words) == ["makes tail calls"])
        #expect(try own.reasons("uses_programs").map(\.words) == ["uses the program array `jumps`, which belongs to one program"])
        #expect(try own.reasons("uses_storage").map(\.words) == ["uses the cgroup storage of the program that runs"])
        #expect(try own.reasons("loads_packet").map(\.words) == ["loads packet data by BPF_LD_[ABS|IND]"])
        let throwing = "may throw an exception, which its caller does not expect"
        #expect(try own.reasons("throws_below") == [ImportAdvice.Reason(function: "throws", words: throwing)])
        #expect(
            try own.reasons("takes_anything").map(\.words) == [
                "takes neither a scalar nor a pointer to memory of fixed size as argument 1: `const void *`"
            ])
    }

    @Test func whatDependsOnTheProgramIsFoundBelow() throws {
        let dependent = try Advised("dependent")
        // A helper that all may call, a callback, a variable of the kernel: the verifier says no more than it would say anyway.
        for name in ["depends_below", "passes_callback", "reads_kernel_variable", "calls_helper"] {
            #expect(try dependent.reasons(name).isEmpty && dependent.conditions(name).isEmpty, "\(name)")
        }
        #expect(
            try dependent.conditions("calls_kfunc").map(\.words) == [
                "calls the kernel function `bpf_rcu_read_lock`, which not all types of programs may",
                "calls the kernel function `bpf_rcu_read_unlock`, which not all types of programs may",
            ])
        let refused = try Advised("steps_refused")
        #expect(
            try refused.conditions("peek") == [
                ImportAdvice.Reason(function: "peek", words: "calls the helper probe_read, which not all types of programs may")
            ])
    }

    @Test func contextsOfNamedTypesAreForAllPrograms() throws {
        let contexts = try Advised("steps_contexts")
        #expect(try contexts.reasons("bpf_subprog").isEmpty)
        #expect(
            try contexts.conditions("bpf_subprog").map(\.words) == [
                "takes the context of kprobe programs as argument 2, other programs pass NULL",
                "takes the context of tracepoint programs as argument 3, other programs pass NULL",
                "takes the context of sched_cls programs as argument 4, other programs pass NULL",
            ])
    }
}

/// The functions of a fixture with what is told of them.
private struct Advised {
    let object: Object
    let advice: ImportAdvice

    init(_ fixture: String) throws {
        object = try Object(bytes: Fixture.bytes(fixture), name: "\(fixture).bpf.o")
        advice = ImportAdvice(object, facts: object.functions.indices.map(FunctionInspector(object).facts(of:)))
    }

    func reasons(_ name: String) throws -> [ImportAdvice.Reason] { advice.reasons(against: try index(name)) }
    func conditions(_ name: String) throws -> [ImportAdvice.Reason] { advice.conditions(of: try index(name)) }

    private func index(_ name: String) throws -> Int { try #require(object.functions.firstIndex { $0.name == name }) }
}
