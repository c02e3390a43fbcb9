// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import SystemPackage
import Testing

@testable import VMRunner

@Suite struct RoundTripGateTests {
    /// Judges a series of two patches that an export writes anew.
    /// - Parameters:
    ///   - change: a command that changes the exported files, in their directory.
    ///   - isRecordedBase: whether the series says that it was made on this very base.
    func verdicts(after change: String, isRecordedBase: Bool = true) throws -> [Verdict] {
        let toy = try ToySeries(["/* one */", "/* two */"])
        let (patches, scripts) = ("\(toy.directory)/patches", "\(toy.directory)/Scripts")
        let base = isRecordedBase ? toy.series.whole.before.id : "another"
        try Files.write("base_commit=\(base)\n".utf8, to: "\(patches)/base")
        try Files.makeDirectory(scripts)
        for name in ["common.bash", "kernel-apply"] { try Files.write("".utf8, to: "\(scripts)/\(name)") }
        try Files.write(
            "#!/bin/sh\ncp \(patches)/*.patch \"$2\" && cd \"$2\" && \(change)\n".utf8, to: "\(scripts)/kernel-export",
            permissions: .init(rawValue: 0o755))
        let gate = RoundTripGate("round-trip", .everyPatch, Installation(root: toy.directory))
        return try ReviewTests.review(toy, [gate]).table().patches.map { $0.verdicts[0].verdict }
    }

    @Test func everyByteHasToComeBack() throws {
        #expect(try verdicts(after: "true").map(\.outcome) == [.passed, .passed])
        let found = try verdicts(after: "sed -i 's/^Subject: .*/Subject: other/' 0002-*")
        #expect(found.map(\.outcome) == [.passed, .failed])
        #expect(found[1].words.contains("+Subject: other"))
    }

    @Test func onAnotherBaseTheChangesCount() throws {
        let found = try verdicts(after: "sed -i 's/^Subject: .*/Subject: other/' 0001-*; sed -i 's/two/2/' 0002-*", isRecordedBase: false)
        #expect(found.map(\.outcome) == [.passed, .failed])
        #expect(found[0].remark == "same changes, other base" && found[1].words == ["the export makes other changes"])
    }

    @Test func aPatchWithAnotherNameIsMissing() throws {
        let found = try verdicts(after: "mv 0001-* 0001-other.patch")
        #expect(found[0].outcome == .failed)
        #expect(found[0].words == ["the export has no 0001-patch-1.patch: the name differs"])
    }

    @Test func anExportThatFailsIsNotAPass() throws {
        #expect(try verdicts(after: "false").map(\.outcome) == [.cannotRun, .cannotRun])
    }
}
