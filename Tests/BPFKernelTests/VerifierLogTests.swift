// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Testing

@testable import BPFKernel

@Suite struct VerifierLogTests {
    @Test func statisticsAreNotTheReason() {
        let log = VerifierLog(
            text: """
                0: (95) exit
                R0 !read_ok
                verification time 20 usec
                stack depth 0
                processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0

                """)
        #expect(log.conclusion == ["0: (95) exit", "R0 !read_ok"])
    }

    @Test func aSentenceStandsAlone() {
        let log = VerifierLog(text: "1: (85) call pc+1\nback-edge from insn 3 to 1\nprocessed 0 insns\n")
        #expect(log.conclusion == ["back-edge from insn 3 to 1"])
    }

    @Test(arguments: [
        ("2: (61) r0 = *(u32 *)(r1 +999)\ninvalid bpf_context access off=999 size=4\n", 2),
        ("the sum is\n\ttoo large\n", 2),
        ("R2 type=ctx expected=fp\nCaller passes invalid args into bpf_subprog() of prog 7 (subprog)\n", 2),
        ("Return value is wrong\n", 1),
    ])
    func linesThatGoOnKeepTheOneBefore(log: String, count: Int) {
        #expect(VerifierLog(text: log).conclusion.count == count)
    }

    @Test func aReportGivesReasonAndSuggestion() {
        let log = VerifierLog(
            text: """
                7: (79) r0 = *(u64 *)(r0 +0)
                R0 invalid mem access 'map_value_or_null'

                Verification failed: Register Type Safety: Invalid dereference
                Reason:
                  R0 may be NULL here. The program could dereference NULL on this
                  path.
                At:
                  rejected @ refused.bpf.c:27:9
                Suggestion:
                  Add a NULL check before the access.
                processed 7 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0
                """)
        #expect(
            log.conclusion == [
                "7: (79) r0 = *(u64 *)(r0 +0)", "R0 invalid mem access 'map_value_or_null'",
                "Register Type Safety: Invalid dereference: R0 may be NULL here. The program could dereference NULL on this path.",
            ])
        #expect(log.suggestion == "Add a NULL check before the access.")
    }

    @Test func thePlaceIsTheLastLineWithAnInstruction() {
        let log = """
            0: R1=ctx() R10=fp0
            ; return peek(skb->len); @ app.bpf.c:11
            0: (61) r1 = *(u32 *)(r1 +0)          ; R1=scalar()
            1: (85) call pc+1
            ; return *(volatile int *)place; /* a @ b */ @ library.bpf.c:8
            3: (61) r0 = *(u32 *)(r1 +0)
            R1 invalid mem access 'scalar'
            """
        #expect(VerifierLog(text: log).place == "library.bpf.c:8: return *(volatile int *)place; /* a @ b */")
    }

    @Test(arguments: [
        // Older kernels do not tell the file.
        "; return *value;\n7: (79) r0 = *(u64 *)(r0 +0)\nR0 invalid mem access 'map_value_or_null'",
        // What is wrong is about no instruction.
        "; return 0; @ app.bpf.c:3\n1: (95) exit\nFunc#1 is safe for any args that match its prototype\ncombined stack size is too large",
        "; return 0; @ app.bpf.c:3\nno",
    ]) func wherePlacesAreNotToldThereIsNone(log: String) {
        #expect(VerifierLog(text: log).place == nil)
    }

    @Test func aPolicyIsSaidOnce() {
        let log = VerifierLog(
            text: """
                cannot import f() from prog 24 (lib): argument 1 is a ctx
                Compile it into this program.
                Verification failed: Policy: Operation is not allowed
                Reason:
                  The import of f() from program 24 (lib) is not allowed: argument 1 is a ctx.
                Suggestion:
                  Compile it into this program.
                """)
        #expect(log.conclusion == ["cannot import f() from prog 24 (lib): argument 1 is a ctx"])
        #expect(log.suggestion == "Compile it into this program.")
    }

    @Test func adviceIsNoReason() {
        let log = VerifierLog(
            text: """
                cannot export subprograms: programs of this type neither export nor import functions
                Load the program without BPF_F_EXPORT_SUBPROGS.
                Verification failed: Policy: Operation is not allowed
                Suggestion:
                  Load the program without BPF_F_EXPORT_SUBPROGS, or move the functions to a
                  program that can export them.
                """)
        #expect(log.conclusion == ["cannot export subprograms: programs of this type neither export nor import functions"])
    }

    @Test func adviceComesWithItsReason() {
        let log = [
            "cannot import from prog 7 (lib): programs of this type neither export nor import functions",
            "Compile the functions into this program instead.",
        ]
        #expect(VerifierLog(text: "0: R1=ctx()\n" + log.joined(separator: "\n") + "\nprocessed 0 insns\n").conclusion == log)
    }

    @Test func anEmptyLogConcludesNothing() {
        #expect(VerifierLog(text: "\n \n").conclusion.isEmpty)
    }
}
