// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import Testing

/// Programs at the marks that other programs have for tracing (USDT): libbpf finds them in notes of the program's file.
@Suite(.aloneOnTheKernel, .enabled(if: geteuid() == 0, "loading programs takes root")) struct MarkTests {
    /// A program with one mark. The note is what `DTRACE_PROBE2(bpflink, called, first, second)` of <sys/sdt.h> would write.
    private static let marked = #"""
        static __attribute__((noinline)) void called(int first, long second)
        {
            __asm__ volatile("990: nop\n"
                ".pushsection .note.stapsdt,\"\",\"note\"\n"
                ".balign 4\n.4byte 992f-991f, 994f-993f, 3\n991: .asciz \"stapsdt\"\n992: .balign 4\n"
                "993: .8byte 990b, 0, 0\n.asciz \"bpflink\"\n.asciz \"called\"\n.asciz \"-4@%%edi -8@%%rsi\"\n994: .balign 4\n"
                ".popsection\n" :: "D"(first), "S"(second));
        }
        int main(void) { called(3, 4); return 0; }
        """#

    /// Runs words with the program in `PATH`; `sum` prints what was counted.
    private func run(_ words: String) throws -> Outcome {
        try Command.run(
            """
            scratch=$(mktemp -d); trap 'rm -rf $scratch /sys/fs/bpf/bpflink_marks' EXIT
            gcc -O1 -x c -o $scratch/bpflink_marked - <<'END' || exit 1
            \(Self.marked)
            END
            export PATH=$scratch:$PATH
            cat >$scratch/sum <<'END'
            bpflink_marked; for id in $(bpftool -j prog show id $1 | jq '.map_ids[]'); do bpftool -j map dump id $id; done |
              jq -c '.[].formatted?.value? | .[".bss"]? // empty'
            END
            \(words)
            """)
    }

    @Test func aProgramSeesTheArgumentsOfAMark() throws {
        let run = try run(
            """
            bpflink load $FIXTURES.real/clang/usdt.bpf.o --attach --exec -- \
              sh -c 'sh $0 $(sed -n "s/prog_id:.//p" /proc/self/fdinfo/$BPFLINK_FD)' $scratch/sum
            """)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("[{\"sum\":34}]"), "\(run.output)\(run.errors)")
    }

    @Test func soDoesOneWithACopyOfALibrarysFunction() throws {
        let run = try run(
            """
            bpflink load --mode copy $FIXTURES.real/clang/touch.bpf.o --pin /sys/fs/bpf/bpflink_marks/touch >/dev/null
            bpflink load --mode copy $FIXTURES.real/clang/usdt.import.bpf.o --library pinned=/sys/fs/bpf/bpflink_marks/touch --attach \
              --exec -- sh -c 'sh $0 $(sed -n "s/prog_id:.//p" /proc/self/fdinfo/$BPFLINK_FD)' $scratch/sum
            """)
        #expect(run.status == 0, "\(run.errors)")
        #expect(run.output.contains("[{\"sum\":34}]") && run.output.contains("[{\"touched\":1}]"), "\(run.output)\(run.errors)")
    }

    @Test func itsAttachmentCannotBePinned() throws {
        let run = try run("bpflink load $FIXTURES.real/clang/usdt.bpf.o --attach --pin /sys/fs/bpf/bpflink_marks/it; ls /sys/fs/bpf/bpflink_marks")
        #expect(
            run.errors.hasPrefix("error: the attachment of `on_mark` to usdt/bpflink_marked:bpflink:called cannot be pinned\nnote: "),
            "\(run.errors)")
        #expect(run.errors.contains("ls: cannot access"))
    }

    @Test func aMarkThatIsNotThereIsSaid() throws {
        let run = try Command.run("bpflink load $FIXTURES.real/clang/usdt.bpf.o --attach")
        #expect(run.status == 1)
        #expect(run.errors.hasPrefix("error: `on_mark` cannot be attached by its section `usdt/bpflink_marked:bpflink:called`: "), "\(run.errors)")
    }
}
