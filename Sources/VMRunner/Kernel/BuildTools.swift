// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// The programs that make a kernel what it is.
struct BuildTools: Sendable {
    /// What make is told to call for BTF.
    var pahole: String
    /// First lines of what compiler, linker and pahole say about their versions.
    var versions: [String]

    /// - Throws: `RunnerError` if one is missing or too old.
    static func find(_ configuration: KernelConfiguration, installation: Installation) throws(RunnerError) -> BuildTools {
        var versions: [String] = []
        for tool in ["gcc", "ld"] { versions.append("\(tool) \(try version(of: tool))") }
        // The types that the selftests want to find are written by a newer one than a build alone needs.
        let pahole =
            configuration.isForSelftests
            ? try installation.output(ofScript: "pahole", help: "build another configuration") : "pahole"
        versions.append("pahole \(try version(of: pahole))")
        return BuildTools(pahole: pahole, versions: versions)
    }

    private static func version(of program: String) throws(RunnerError) -> String {
        try Tool.version(program, help: "a kernel build needs gcc, binutils and dwarves")
    }
}
