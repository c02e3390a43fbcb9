// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Everything that decides what a build gives; from it follows the kernel's name in the store.
struct KernelRecipe: Sendable {
    var variant: KernelVariant
    /// The base: a tarball or a source tree.
    var base: String
    var baseDigest: String
    var series: PatchSeries
    /// The digests of what the patches change for the build, in their order.
    var patchDigests: [String]
    var request: KernelRequest
    var tools: BuildTools

    /// The kernel's name in the store: the digest of all of the above.
    func identity() throws(RunnerError) -> String { try Digest.of(description) }

    var description: String {
        (["base \(baseDigest)"] + patchDigests.map { "patch \($0)" } + tools.versions.map { "tool \($0)" }
            + [request.description]).joined(separator: "\n")
    }

    /// - Parameter base: a tarball or source tree; nil for what `Scripts/kernel-base` gives.
    static func make(
        _ variant: KernelVariant, base: String?, installation: Installation, cache: Cache
    ) throws -> KernelRecipe {
        // The cheap question first.
        let series = try PatchSeries.make(variant.patches, installation: installation)
        var variant = variant
        if case .first = variant.patches, try series.paths == PatchSeries.make(.all, installation: installation).paths {
            variant.patches = .all
        }
        let path = try base ?? defaultBase(installation)
        let digest = Files.isDirectory(path) ? try digestOfTree(path) : try Digest.ofFile(path, cache: cache)
        var patchDigests: [String] = []
        for patch in series.paths {
            let changes = PatchSeries.changes(patch: try Files.text(patch), unread: variant.configuration.unread)
            if !changes.isEmpty { patchDigests.append(try Digest.of(changes)) }
        }
        return KernelRecipe(
            variant: variant, base: try Files.resolve(path), baseDigest: digest, series: series,
            patchDigests: patchDigests, request: try KernelRequest.make(variant.configuration, installation: installation),
            tools: try BuildTools.find(variant.configuration, installation: installation))
    }

    private static func defaultBase(_ installation: Installation) throws(RunnerError) -> String {
        try installation.output(
            ofScript: "kernel-base", help: "name a tarball or source tree of the kernel with --base")
    }

    /// The digest of the files of a tree, by name and content.
    private static func digestOfTree(_ path: String) throws(RunnerError) -> String {
        let script = """
            cd "$1" && find . -path ./.git -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
            """
        let output = try Tool.output(["sh", "-c", script, "sh", path])
        return String(output.prefix { $0 != " " })
    }
}
