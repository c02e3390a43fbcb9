// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// The compiler and its companions that the selftests are built with.
struct SelftestTools: Sendable {
    /// What Debian's LLVM packages have in their names.
    var release: Int
    /// What the compiler says about itself.
    var version: String

    /// The oldest that builds the selftests of Linux 7.3: 19 crashes on `libarena`, and what 21 writes as its BTF
    /// cannot be read.
    static let oldest = 22

    /// The directory of its programs, by which the kernel's probe for LLVM's libraries finds `llvm-config`.
    var directory: String { "/usr/lib/llvm-\(release)/bin" }

    /// What make is told.
    var variables: [String] {
        [
            "CLANG=clang-\(release)", "LLC=llc-\(release)", "LLVM_CONFIG=llvm-config-\(release)",
            "LLVM_STRIP=llvm-strip-\(release)", "LLVM_OBJCOPY=llvm-objcopy-\(release)", "SKIP_DOCS=1",
        ]
    }

    /// The newest that is installed.
    /// - Throws: `RunnerError` if there is none, or a part of it is missing.
    static func find() throws(RunnerError) -> SelftestTools {
        let releases = ((try? Files.list("/usr/lib")) ?? []).compactMap { name in
            name.hasPrefix("llvm-") ? Int(name.dropFirst("llvm-".count)) : nil
        }
        let help = "Scripts/setup --selftests"
        guard let release = releases.filter({ findProgram("clang-\($0)") != nil }).max(), release >= oldest else {
            throw RunnerError("the selftests need clang \(oldest) or newer, which is not installed", help: help)
        }
        for program in ["llc", "llvm-config", "llvm-strip", "llvm-objcopy", "ld.lld"] {
            guard findProgram("\(program)-\(release)") != nil else {
                throw RunnerError("\(program)-\(release) is not installed", help: help)
            }
        }
        let output = try Tool.output(["clang-\(release)", "--version"])
        return SelftestTools(release: release, version: String(output.split(separator: "\n").first ?? ""))
    }
}
