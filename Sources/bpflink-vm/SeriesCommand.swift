// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import ArgumentParser
import VMRunner

struct Series: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Judge the kernel series before people read it.", subcommands: [Check.self])
}

extension Series {
    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Run review gates over the kernel series and print a table, patch × gate.",
            discussion: """
                For every patch:
                  round-trip   applying and exporting it gives back every byte
                  checkpatch   the kernel's checkpatch.pl --strict finds nothing but the missing sign-off
                  spelling     codespell and the kernel's list of misspelt words know none of its words
                  kernel-doc   comments for the documentation give no warning that was not there before
                  build        what the series touches builds after it, without a new warning of W=1
                  sparse       the same for sparse
                  tools        so does bpftool, if it is touched
                  boot         the kernel up to it links, boots, and does what it says it can do
                For the whole series: the cover letter's round trip, and a build with W=1 and sparse in each configuration of \
                KernelPatches/configurations, by their names, or `configurations` for all of them.
                The table says `ok`, `FAILED` or `CANNOT RUN`, with the numbers of warnings before and after; why is on \
                standard error, with the progress. Verdicts that passed are kept until the patch, a tool or a rule changes; a \
                run that is broken off goes on where it was.
                Exit code: 0 if all passed, 1 if not, 245 if the series cannot be applied.
                """)

        @Flag(help: "Only gates that take seconds: round-trip, checkpatch, spelling, kernel-doc, cover-letter.")
        var quick = false

        @Flag(help: "Print JSON.")
        var json = false

        @Option(help: "Compilers at a time (default: one per core).")
        var jobs: Int?

        @Option(help: "The suite that the boot gate runs a part of.")
        var suite: String?

        @Option(help: "A file or directory for its machine, as `test` takes it.")
        var file: [String] = []

        @Option(help: "Cases that hold on every kernel of the series; needed with --suite.")
        var always: [String] = []

        @Option(help: "Cases that hold at its end only.")
        var atTheEnd: [String] = []

        @Argument(help: "Gates (default: all).")
        var gates: [String] = []

        func validate() throws {
            guard jobs ?? 1 > 0 else { throw ValidationError("--jobs takes a positive number") }
            guard !(quick && !gates.isEmpty) else { throw ValidationError("Choose --quick or gates") }
            guard suite == nil || !always.isEmpty else { throw ValidationError("--suite needs --always") }
        }

        func run() throws {
            try finish {
                var review = SeriesReview()
                review.chosen = gates
                review.isQuick = quick
                review.jobs = jobs
                review.smoke = suite.map { SmokeSuite(suite: $0, files: file, always: always, atTheEnd: atTheEnd) }
                let table = try review.run(installation: try Installation(), cache: try Cache(), note: { note($0) })
                say(json ? table.json : table.text)
                return table.counts.failures == 0 ? 0 : 1
            }
        }
    }
}
