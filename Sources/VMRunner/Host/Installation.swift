// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Where the runner finds its data files and its guest agent.
public struct Installation: Sendable {
    /// The directory that holds `VMImages/`, `KernelPatches/` and `Scripts/`.
    public let root: String

    public init(root: String) { self.root = root }

    /// Looks in `$BPFLINK_ROOT`, then above the running program, then above the working directory.
    public init() throws(RunnerError) {
        if let root = Environment["BPFLINK_ROOT"] {
            guard Installation.isRoot(root) else {
                throw RunnerError("BPFLINK_ROOT names \(root), which has no VMImages/kernel.config")
            }
            self.root = root
            return
        }
        for start in [try Installation.program, try Files.resolve(".")] {
            var path = start
            while let slash = path.lastIndex(of: "/") {
                if Installation.isRoot(path) {
                    root = path
                    return
                }
                path = String(path[..<slash])
            }
        }
        throw RunnerError(
            "cannot find VMImages/ above this program or above the working directory",
            help: "run bpflink-vm in its source tree, or set BPFLINK_ROOT to it")
    }

    private static func isRoot(_ path: String) -> Bool { Files.exists("\(path)/VMImages/kernel.config") }

    /// The running program's file.
    static var program: String {
        get throws(RunnerError) { try Files.resolve("/proc/self/exe") }
    }

    var kernelConfig: String { kernelConfig(named: "kernel") }
    var splatDenyList: String { "\(root)/VMImages/splats.deny" }
    var splatAllowList: String { "\(root)/VMImages/splats.allow" }

    /// Data about the kernel's own BPF selftests.
    func selftestList(_ name: String) -> String { "\(root)/VMImages/selftests.\(name)" }

    func kernelConfig(named name: String) -> String { "\(root)/VMImages/\(name).config" }

    /// What a script of `Scripts/` fetches or finds: the path that is the last line of its output.
    /// - Parameter help: what to do without the script.
    /// - Throws: `RunnerError` if it is not there, fails, or says something else.
    func output(ofScript name: String, help: String) throws(RunnerError) -> String {
        let script = "\(root)/Scripts/\(name)"
        guard Files.exists(script) else { throw RunnerError("there is no \(script)", help: help) }
        let output = try Tool.output([script], showsErrors: true)
        let path = output.split(separator: "\n").last.map(String.init) ?? ""
        guard path.hasPrefix("/"), Files.exists(path) else { throw RunnerError("\(script) said '\(output)'") }
        return path
    }

    /// The directory of the kernel's base and of the patches for it.
    var patchDirectory: String {
        get throws(RunnerError) {
            let all = "\(root)/KernelPatches"
            let names = try Files.list(all).filter { $0.hasPrefix("linux-") }
            guard names.count == 1 else { throw RunnerError("\(all) has \(names.count) directories linux-…, not one") }
            return "\(all)/\(names[0])"
        }
    }

    /// The guest agent: the one given, else the one beside the running program.
    static func agent(_ given: String?) throws(RunnerError) -> String {
        if let given { return try Files.resolve(given) }
        let program = try program
        let path = program[...(program.lastIndex(of: "/") ?? program.startIndex)] + "bpflink-vm-guest"
        guard Files.exists(String(path)) else {
            throw RunnerError(
                "there is no guest agent at \(path)",
                help: "build it (swift build --product bpflink-vm-guest) or name it with --agent")
        }
        return String(path)
    }
}
