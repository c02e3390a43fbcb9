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
        for tool in ["gcc", "ld"] { versions.append("\(tool) \(try version(of: tool, needed: tool))") }
        // The types that the selftests want to find are written by a newer one than a build alone needs.
        let pahole =
            configuration == .selftests
            ? try installation.output(ofScript: "pahole", help: "build another configuration") : "pahole"
        versions.append("pahole \(try version(of: pahole, needed: "pahole"))")
        return BuildTools(pahole: pahole, versions: versions)
    }

    private static func version(of program: String, needed name: String) throws(RunnerError) -> String {
        guard program.contains("/") || findProgram(program) != nil else {
            throw RunnerError("\(name) is not installed", help: "a kernel build needs gcc, binutils and dwarves")
        }
        let output = try Tool.output([program, "--version"])
        return String(output.split(separator: "\n").first ?? "")
    }
}
