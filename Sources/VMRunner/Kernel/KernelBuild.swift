// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import VMProtocol

/// Where a kernel was built.
public struct KernelTree: Sendable {
    /// Its source tree, with the patches applied.
    public var source: String
    /// Its object directory (`make O=`).
    public var objects: String
    /// What make was told to call for BTF (`make PAHOLE=`).
    public var pahole: String
    public var kernel: StoredKernel

    /// Runs a command that finds the directories in its environment, with this process's standard streams.
    /// - Returns: its exit code, 128 + n if signal n ended it.
    /// - Throws: `RunnerError` if it cannot be started.
    public func run(_ command: [String]) throws(RunnerError) -> Int32 {
        let variables = [
            "BPFLINK_KERNEL_SOURCE": source, "BPFLINK_KERNEL_OBJECTS": objects, "BPFLINK_KERNEL_IMAGE": kernel.image,
            "BPFLINK_KERNEL_PAHOLE": pahole,
        ]
        for (name, value) in variables { setenv(name, value, 1) }
        var child = try ChildProcess(
            command, descriptors: [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO], onParentDeath: .terminate)
        return switch child.wait() {
        case .exited(let code): code
        case .signalled(let signal): 128 + signal
        }
    }
}

/// Builds a kernel and puts it into the store.
public struct KernelBuild: Sendable {
    public var variant: KernelVariant
    /// A tarball or source tree in place of what `Scripts/kernel-base` gives.
    public var base: String?
    /// Compilers at a time; nil for one per core.
    public var jobs: Int?
    /// Stores the image with its debug information as well.
    public var keepsDebugInformation = false

    public init(variant: KernelVariant) { self.variant = variant }

    /// - Parameters:
    ///   - note: takes words for the user.
    ///   - progress: takes how far the build is.
    /// - Returns: the kernel, built now or before.
    /// - Throws: `RunnerError`
    public func run(
        installation: Installation, cache: Cache, note: (String) -> Void, progress: (BuildProgress) -> Void
    ) throws -> StoredKernel {
        let recipe = try KernelRecipe.make(variant, base: base, installation: installation, cache: cache)
        let id = try recipe.identity()
        if let kernel = stored(id, cache) { return kernel }
        return try inLane(recipe, cache, note) { lane in
            // Another process may have built it meanwhile.
            if let kernel = stored(id, cache) { return kernel }
            return try build(recipe, id, lane, cache: cache, note: note, progress: progress).kernel
        }
    }

    /// Builds the kernel if need be, and calls `body` with the directories that it was built in, for more to be made in
    /// them (modules, headers). Nobody else builds there meanwhile.
    /// - Parameters: those of `run`.
    /// - Throws: `RunnerError`, and what `body` throws.
    public func withTree<Result>(
        installation: Installation, cache: Cache, note: (String) -> Void, progress: (BuildProgress) -> Void,
        _ body: (KernelTree) throws -> Result
    ) throws -> Result {
        let recipe = try KernelRecipe.make(variant, base: base, installation: installation, cache: cache)
        let id = try recipe.identity()
        return try inLane(recipe, cache, note) { lane in
            if let kernel = stored(id, cache), lane.built == id {
                // What the kernel does not hang on may have changed since: tools, documentation.
                let source = try lane.prepareSource(recipe, cache: cache, note: note)
                return try body(lane.tree(kernel, source: source, tools: recipe.tools))
            }
            return try body(try build(recipe, id, lane, cache: cache, note: note, progress: progress))
        }
    }

    private func stored(_ id: String, _ cache: Cache) -> StoredKernel? {
        guard let kernel = KernelStore(cache: cache).find(id) else { return nil }
        return keepsDebugInformation && !Files.exists("\(kernel.directory)/vmlinux.debug") ? nil : kernel
    }

    /// One build at a time per lane: it has one object directory.
    private func inLane<Result>(
        _ recipe: KernelRecipe, _ cache: Cache, _ note: (String) -> Void, _ body: (KernelLane) throws -> Result
    ) throws -> Result {
        let lane = KernelLane(directory: try cache.directory("build/\(recipe.variant.lane)"))
        return try holdingLock(
            "\(lane.directory)/lock", waiting: { note("another process uses \(lane.directory); waiting") }
        ) { try body(lane) }
    }

    private func build(
        _ recipe: KernelRecipe, _ id: String, _ lane: KernelLane, cache: Cache, note: (String) -> Void,
        progress: (BuildProgress) -> Void
    ) throws -> KernelTree {
        lane.forgetBuilt()
        let source = try lane.prepareSource(recipe, cache: cache, note: note)
        try Files.makeDirectory(lane.objects)
        note("building the \(recipe.variant) kernel \(id.prefix(12)) (log: \(lane.log))")
        Files.remove(lane.log)
        let make = Make(
            source: source, objects: lane.objects, log: lane.log, jobs: jobs, variables: ["PAHOLE=\(recipe.tools.pahole)"])
        let configuration = try recipe.request.configure(make, notes: lane.directory)
        guard configuration.unmet.isEmpty else {
            throw RunnerError(
                "the kernel's configuration is not as asked for:\n  " + configuration.unmet.joined(separator: "\n  "),
                help: "a symbol does not stick if something that it depends on is not asked for in "
                    + recipe.request.files.joined(separator: ", "))
        }
        for words in configuration.unmetOfTree { note("not as the selftests of this kernel ask: \(words)") }
        try make.run(["vmlinux"], progress: progress)
        var modules = recipe.variant.configuration.modules
        if !modules.isEmpty { try make.run(modules, progress: progress) }
        if let external = recipe.variant.configuration.externalModules {
            // All modules first, for the symbols that these may use.
            try make.run(["modules"], progress: progress)
            let output = "\(lane.objects)/external"
            Files.remove(output)
            // The selftests' own Makefile builds them where their sources are, and make refuses what is not clean.
            try make.run(["clean"], variables: ["M=\(source)/\(external)"], progress: progress)
            try make.run(["modules"], variables: ["M=\(source)/\(external)", "MO=\(output)"], progress: progress)
            modules += try Files.list(output).filter { $0.hasSuffix(".ko") }.map { "external/\($0)" }
        }
        let kernel = try KernelStore(cache: cache).add(
            id: id, lane: lane, recipe: recipe, modules: modules, withDebugInformation: keepsDebugInformation)
        try lane.noteBuilt(id)
        return lane.tree(kernel, source: source, tools: recipe.tools)
    }
}

extension KernelStore {
    /// Puts what a build gave into the store.
    fileprivate func add(
        id: String, lane: KernelLane, recipe: KernelRecipe, modules: [String], withDebugInformation: Bool
    ) throws -> StoredKernel {
        let objects = lane.objects
        let directory = "\(try cache.directory("kernels"))/\(id)"
        let unfinished = "\(directory).\(getpid()).new"
        try Files.makeDirectory(unfinished)
        defer { Files.remove(unfinished) }
        _ = try Tool.output(["objcopy", "--strip-debug", "\(objects)/vmlinux", "\(unfinished)/vmlinux"])
        for name in [".config", "System.map"] {
            _ = try Tool.output(["cp", "--", "\(objects)/\(name)", "\(unfinished)/\(name)"])
        }
        _ = try Tool.output(["cp", "--", lane.log, "\(unfinished)/build.log"])
        if withDebugInformation {
            _ = try Tool.output(["cp", "--", "\(objects)/vmlinux", "\(unfinished)/vmlinux.debug"])
        }
        if !modules.isEmpty { try Files.makeDirectory("\(unfinished)/modules") }
        for module in modules {
            _ = try Tool.output(["cp", "--", "\(objects)/\(module)", "\(unfinished)/modules/"])
        }
        let release = try Files.text("\(objects)/include/config/kernel.release").split(separator: "\n").first ?? ""
        let about: JSON = [
            "variant": .string(recipe.variant.description), "release": .string(String(release)),
            "base": .string(recipe.baseDigest), "patches": .array(recipe.patchDigests.map(JSON.string)),
            "tools": .array(recipe.tools.versions.map(JSON.string)),
        ]
        try Files.write(about.description.utf8, to: "\(unfinished)/about.json")
        Files.remove(directory)
        try Files.rename(unfinished, to: directory)
        guard let kernel = find(id) else { throw RunnerError("cannot read \(directory)") }
        return kernel
    }
}
