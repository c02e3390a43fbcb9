// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Which kernel of the base.
public enum KernelVariant: String, Sendable, CaseIterable {
    /// As released.
    case stock
    /// With the series applied.
    case patched
}

/// Everything that decides what a build gives; from it follows the kernel's name in the store.
struct KernelRecipe: Sendable {
    var variant: KernelVariant
    /// The base: a tarball or a source tree.
    var base: String
    var baseDigest: String
    var series: PatchSeries
    /// The digests of the patches, in their order.
    var patchDigests: [String]
    /// The requested configuration's text.
    var config: String
    /// First lines of the versions of compiler, linker and pahole.
    var tools: [String]

    /// The kernel's name in the store: the digest of all of the above.
    func identity() throws(RunnerError) -> String { try Digest.of(description) }

    var description: String {
        (["base \(baseDigest)"] + patchDigests.map { "patch \($0)" } + tools.map { "tool \($0)" } + ["config", config])
            .joined(separator: "\n")
    }

    /// - Parameter base: a tarball or source tree; nil for what `Scripts/kernel-base` gives.
    static func make(
        _ variant: KernelVariant, base: String?, installation: Installation, cache: Cache
    ) throws -> KernelRecipe {
        // The cheap question first.
        let series = variant == .patched ? try PatchSeries(directory: try installation.patchDirectory) : .none
        let path = try base ?? defaultBase(installation)
        let digest = Files.isDirectory(path) ? try digestOfTree(path) : try Digest.ofFile(path, cache: cache)
        var patchDigests: [String] = []
        for patch in series.paths { patchDigests.append(try Digest.ofFile(patch, cache: cache)) }
        return KernelRecipe(
            variant: variant, base: try Files.resolve(path), baseDigest: digest, series: series,
            patchDigests: patchDigests, config: try Files.text(installation.kernelConfig), tools: try toolVersions())
    }

    private static func defaultBase(_ installation: Installation) throws(RunnerError) -> String {
        let script = installation.kernelBaseScript
        guard Files.exists(script) else {
            throw RunnerError("there is no \(script)", help: "name a tarball or source tree of the kernel with --base")
        }
        let output = try Tool.output([script], showsErrors: true)
        let path = output.split(separator: "\n").last.map(String.init) ?? ""
        guard path.hasPrefix("/"), Files.exists(path) else { throw RunnerError("\(script) said '\(output)'") }
        return path
    }

    /// The digest of the files of a tree, by name and content.
    private static func digestOfTree(_ path: String) throws(RunnerError) -> String {
        let script = """
            cd "$1" && find . -path ./.git -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
            """
        let output = try Tool.output(["sh", "-c", script, "sh", path])
        return String(output.prefix { $0 != " " })
    }

    private static func toolVersions() throws(RunnerError) -> [String] {
        var versions: [String] = []
        for tool in ["gcc", "ld", "pahole"] {
            guard findProgram(tool) != nil else {
                throw RunnerError("\(tool) is not installed", help: "a kernel build needs gcc, binutils and dwarves")
            }
            let output = try Tool.output([tool, "--version"])
            versions.append("\(tool) \(output.split(separator: "\n").first ?? "")")
        }
        return versions
    }
}
