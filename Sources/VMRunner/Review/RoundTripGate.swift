// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Synchronization

/// Applying the patches and exporting the commits again gives back every byte. On another base than the recorded one, where
/// line numbers and context may differ, it gives the same changes.
struct RoundTripGate: Gate {
    let name: String
    let scope: GateScope
    let isQuick = true
    let installation: Installation
    let export = Export()

    /// - Parameter scope: every patch, or, with the whole series, the cover letter.
    init(_ name: String, _ scope: GateScope, _ installation: Installation) {
        (self.name, self.scope, self.installation) = (name, scope, installation)
    }

    func conditions(_ series: ReviewedSeries) throws -> [String] {
        var conditions = ["1", try Tool.version("git")]
        for script in ["common.bash", "kernel-apply", "kernel-export"] {
            conditions.append(try Digest.of(try Files.text("\(installation.root)/Scripts/\(script)")))
        }
        return conditions
    }

    func content(of stretch: Stretch) -> [String] { [stretch.after.id, (try? Files.text(stretch.file)) ?? ""] }

    func judge(_ stretch: Stretch, of series: ReviewedSeries) throws -> Judgement {
        let exported = try export.directory(series, installation) + "/" + LibraryClosure.lastComponent(stretch.file)
        guard Files.exists(exported) else {
            return Judgement(faults: ["the export has no \(LibraryClosure.lastComponent(stretch.file)): the name differs"])
        }
        let base = try Files.text("\(stretch.file.prefix(upTo: stretch.file.lastIndex(of: "/")!))/base")
        if base.split(separator: "\n").contains("base_commit=\(series.whole.before.id)") {
            let difference = try Tool.run(["diff", "-u", "--", stretch.file, exported]).output
            return Judgement(faults: difference.split(separator: "\n").map(String.init))
        }
        let changes = try [stretch.file, exported].map { file in
            // Context and line numbers do not count (git-patch-id(1)); the second word of the line is the commit.
            try Tool.output(["git", "patch-id", "--stable"], input: Files.read(file)).split(separator: " ").first
        }
        return Judgement(
            faults: changes[0] == changes[1] ? [] : ["the export makes other changes"], remark: "same changes, other base")
    }

    /// The exported series, made once when it is first asked for.
    final class Export: Sendable {
        private let made = Mutex<String?>(nil)

        func directory(_ series: ReviewedSeries, _ installation: Installation) throws -> String {
            try made.withLock { made in
                if let made { return made }
                let directory = try Files.makeTemporaryDirectory()
                do {
                    _ = try Tool.output(["\(installation.root)/Scripts/kernel-export", "--output", directory, series.tree])
                } catch {
                    Files.remove(directory)
                    throw error
                }
                made = directory
                return directory
            }
        }

        deinit { made.withLock { made in made.map(Files.remove) } }
    }
}
