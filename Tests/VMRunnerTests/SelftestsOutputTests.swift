// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Testing
import VMProtocol

@testable import VMRunner

@Suite struct SelftestsOutputTests {
    static func read(_ kind: SelftestSuite.Kind, _ text: String) throws -> SelftestOutput {
        var output = SelftestOutput(kind)
        for line in text.split(separator: "\n") { _ = try output.take(String(line)) }
        return output
    }

    @Test func progs() throws {
        let output = try Self.read(
            .progs,
            """
            test_for_each:PASS:open 0 nsec
            #120/1   for_each/hash_map:OK
            #120/2   for_each/array_map:FAIL
            #120     for_each:FAIL
            #121/1   btf/a name, with: a colon:OK
            #121/2   btf/dump:SKIP
            #121     btf:OK (SKIP: 1/2)
            #122     arena_htab:SKIP
            #123     libarena:SKIP (not built)
            #124/1   twice/same:OK
            #124/2   twice/same:FAIL
            #x is a line of a log
            Summary: 1/3 PASSED, 3 SKIPPED, 1/1 FAILED
            """)
        #expect(
            output.tests == [
                "for_each/hash_map": .passed, "for_each/array_map": .failed, "for_each": .failed,
                "btf/a name, with: a colon": .passed, "btf/dump": .skipped, "btf": .passed, "arena_htab": .skipped,
                "libarena": .skipped, "twice/same": .passed, "twice/same (2)": .failed,
            ])
        #expect(output.isComplete)
    }

    @Test func brokenOff() throws {
        let output = try Self.read(.progs, "#1     align:OK\n#2/1   arena/x:OK\n")
        #expect(output.tests == ["align": .passed, "arena/x": .passed])
        #expect(!output.isComplete)
    }

    @Test func verifier() throws {
        let output = try Self.read(
            .verifier,
            """
            #0/u BPF_ATOMIC_AND without fetch OK
            #0/p BPF_ATOMIC_AND without fetch OK
            #7/p calls: basic sanity FAIL
            Unexpected success to load!
            verification time 12 usec
            #8/u dead code: start SKIP
            #9/p jump: 3 cases OK
            #10/p xdp Did not run the program (not supported) OK
            #11/p aligned OK (NOTE: not executed due to unknown alignment)
            Summary: 5 PASSED, 1 SKIPPED, 1 FAILED
            """)
        #expect(
            output.tests == [
                "#0/u BPF_ATOMIC_AND without fetch": .passed, "#0/p BPF_ATOMIC_AND without fetch": .passed,
                "#7/p calls: basic sanity": .failed, "#8/u dead code: start": .skipped, "#9/p jump:": .passed,
                "#10/p xdp": .passed, "#11/p aligned": .passed,
            ])
        #expect(output.isComplete)
    }

    @Test func maps() throws {
        let output = try Self.read(
            .maps,
            """
            Fork 1024 tasks to 'test_update_delete'
            test_array_map_batch_ops:PASS
            test_map_in_map_batch_ops_array:PASS with inner ARRAY map
            test_map_in_map_batch_ops_array:PASS with inner ARRAY map
            test_lpm_trie: PASS
            test_sk_storage_map:SKIP
            test_maps: OK, 1 SKIPPED
            """)
        #expect(
            output.tests == [
                "test_array_map_batch_ops": .passed, "test_map_in_map_batch_ops_array with inner ARRAY map": .passed,
                "test_map_in_map_batch_ops_array with inner ARRAY map (2)": .passed, "test_lpm_trie": .passed,
                "test_sk_storage_map": .skipped, "test_maps": .passed,
            ])
        #expect(output.isComplete)
    }

    @Test func veristat() throws {
        let output = try Self.read(
            .veristat,
            """
            Processing 'a.bpf.o'...
            file_name,prog_name,verdict,total_insns,total_states,duration
            a.bpf.o,entry,success,120,7,431
            a.bpf.o,other,failure,3,0,20
            """)
        #expect(
            output.programs == [
                "a.bpf.o/entry": ProgramCost(verdict: "success", instructions: 120, states: 7, duration: 431),
                "a.bpf.o/other": ProgramCost(verdict: "failure", instructions: 3, states: 0, duration: 20),
            ])
        #expect(output.isComplete)
    }

    @Test(arguments: ["a.bpf.o,entry,success,120,7", "a.bpf.o,entry,success,many,7,431", "a.bpf.o,entry,success,1,2,3,4"])
    func veristatThatCannotBeRead(_ line: String) throws {
        let header = VeristatOutput.columns.joined(separator: ",")
        let error = #expect(throws: RunnerError.self) { try Self.read(.veristat, "\(header)\n\(line)") }
        #expect(error?.message == "veristat's line '\(line)' cannot be read")
    }

    @Test func resultsSurviveTheCache() throws {
        var result = SelftestResult()
        result.tests = ["a": .passed, "a/b": .failed, "c": .skipped, "d": .crashed]
        result.programs = ["x.bpf.o/y": ProgramCost(verdict: "success", instructions: 1, states: 2, duration: 3)]
        result.splats = [SelftestSplat(line: "WARNING: kernel/x.c:1", test: "a"), SelftestSplat(line: "BUG: y", test: nil)]
        result.failures = ["PANIC: it panicked"]
        result.milliseconds = 1234
        #expect(SelftestResult(try JSON(parsing: Array(result.json.description.utf8))) == result)
        #expect(SelftestResult(["passed": ["a"]]) == nil)
    }
}
