// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// The configuration that a kernel is asked to have.
struct KernelRequest: Sendable {
    /// What holds for symbols that nobody speaks of.
    enum Start: String, Sendable {
        /// They are off.
        case nothing = "allnoconfig"
        /// They are what Kconfig gives them by default, after what the BPF selftests of the kernel's tree ask for.
        case selftests = "olddefconfig"
    }

    var start: Start
    /// Files that are merged over it, the later over the earlier. Each of their symbols must come out.
    var files: [String]
    /// The texts of `files`.
    var texts: [String]

    static func make(_ configuration: KernelConfiguration, installation: Installation) throws(RunnerError) -> KernelRequest {
        let start: Start = configuration.isForSelftests ? .selftests : .nothing
        let files = configuration.fragments.map(installation.kernelConfig(named:))
        var texts: [String] = []
        for file in files { texts.append(try Files.text(file)) }
        return KernelRequest(start: start, files: files, texts: texts)
    }

    /// Everything that decides about the configuration, but for the kernel's own files.
    var description: String {
        let kind = start == .nothing ? "config" : "config of the selftests"
        return ([kind] + texts).joined(separator: "\n")
    }

    /// Symbols that came out otherwise than asked for.
    struct Result {
        /// Of our own files.
        var unmet: [String]
        /// Of the kernel's files.
        var unmetOfTree: [String]
    }

    /// Writes `.config` into an object directory.
    /// - Parameters:
    ///   - source: the kernel's tree.
    ///   - notes: a directory for the merged request.
    func configure(_ make: Make, notes: String) throws -> Result {
        var ours = try KernelConfig(parsing: "", name: "nothing")
        for (file, text) in zip(files, texts) { ours = ours.merging(try KernelConfig(parsing: text, name: file)) }
        var theirs = try KernelConfig(parsing: "", name: "nothing")
        switch start {
        case .nothing:
            let request = "\(notes)/request.config"
            try Files.write(ours.text.utf8, to: request)
            try make.run([start.rawValue], variables: ["KCONFIG_ALLCONFIG=\(request)"], progress: { _ in })
        case .selftests:
            for name in ["config", "config.vm", "config.x86_64"] {
                theirs = theirs.merging(try KernelConfig(file: "\(make.source)/tools/testing/selftests/bpf/\(name)"))
            }
            try Files.write(theirs.merging(ours).text.utf8, to: "\(make.objects)/.config")
            try make.run([start.rawValue], progress: { _ in })
        }
        let result = try KernelConfig(file: "\(make.objects)/.config")
        return Result(unmet: ours.unmet(in: result), unmetOfTree: theirs.subtracting(ours).unmet(in: result))
    }
}
