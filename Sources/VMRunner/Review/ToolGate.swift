// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLinuxSystem
import Glibc

/// A program of the kernel's tree that a patch touches builds after it, without a warning that it did not give before. A patch
/// that touches none has nothing to show.
struct ToolGate: Gate {
    let name = "tools"
    let scope = GateScope.everyPatch
    let isQuick = false
    /// Where to build.
    let directory: String
    let jobs: Int?

    /// Directories that `make -C` builds, with `OUTPUT=` for another place: bpftool shows what the kernel has loaded, so a series
    /// for BPF brings its part of it along.
    static let programs = ["tools/bpf/bpftool"]

    func conditions(_ series: ReviewedSeries) throws -> [String] {
        ["2"] + Self.programs + [try Tool.version("gcc"), try Tool.version("make")]
    }

    func judge(_ stretch: Stretch, of series: ReviewedSeries) throws -> Judgement {
        let touched = Self.programs.filter { program in stretch.changes.contains { $0.path.hasPrefix("\(program)/") } }
        guard !touched.isEmpty else { return Judgement(remark: "untouched") }
        var judgement = Judgement()
        var counts = (before: 0, after: 0)
        for program in touched {
            let objects = "\(directory)/\(program.split(separator: "/").last!)"
            let before = try build(program, stretch.before, in: objects, of: series)
            guard before.end == .exited(0) else {
                throw RunnerError("\(program) does not build before the patch:\n\(Make.errors(before.output + before.errors))")
            }
            let after = try build(program, stretch.after, in: objects, of: series)
            let (old, new) = (warnings(before, series), warnings(after, series))
            counts = (counts.before + old.total, counts.after + new.total)
            judgement.faults += new.news(since: old)
            if after.end != .exited(0) {
                judgement.faults.append("\(program) does not build:")
                judgement.faults += Make.errors(after.output + after.errors).split(separator: "\n").map(String.init)
            }
        }
        judgement.remark = "\(counts.before) → \(counts.after) warnings"
        return judgement
    }

    /// Everything is compiled, for what is not cannot warn; and a file that is checked out as soon as its object is made can
    /// have the same time as that.
    private func build(
        _ program: String, _ commit: Stretch.Commit, in objects: String, of series: ReviewedSeries
    ) throws -> Tool.Result {
        Files.remove(objects)
        try Files.makeDirectory(objects)
        try Git(series.tree).checkOut(commit)
        let count = jobs ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        return try Tool.run(
            ["make", "-C", "\(series.tree)/\(program)", "OUTPUT=\(objects)/", "-j\(count)"],
            environment: ["LC_ALL=C"] + Environment.passing("PATH", "HOME", "TMPDIR"))
    }

    private func warnings(_ build: Tool.Result, _ series: ReviewedSeries) -> Warnings {
        BuildWords(parsing: build.output + build.errors, source: series.tree).compiler
    }
}
