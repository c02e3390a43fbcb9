// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import VMProtocol

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
        let store = KernelStore(cache: cache)
        let kernels = try cache.directory("kernels")
        return try holdingLock(
            "\(kernels)/\(id).lock", waiting: { note("another process builds this kernel; waiting for it") }
        ) {
            if let kernel = store.find(id), !keepsDebugInformation || Files.exists("\(kernel.directory)/vmlinux.debug") {
                return kernel
            }
            // One build at a time per lane: it has one object directory.
            let lane = try cache.directory("build/\(variant.rawValue)")
            return try holdingLock(
                "\(lane)/lock", waiting: { note("another process uses the \(variant.rawValue) build directory; waiting") }
            ) {
                let source = try prepareSource(recipe, lane: lane, cache: cache, note: note)
                let objects = "\(lane)/objects"
                try Files.makeDirectory(objects)
                let log = "\(lane)/build.log"
                note("building the \(variant.rawValue) kernel \(id.prefix(12)) (log: \(log))")
                try compile(
                    recipe, source: source, objects: objects, log: log, installation: installation, progress: progress)
                return try store.add(
                    id: id, variant: variant, objects: objects, log: log, recipe: recipe,
                    withDebugInformation: keepsDebugInformation)
            }
        }
    }

    private func prepareSource(
        _ recipe: KernelRecipe, lane: String, cache: Cache, note: (String) -> Void
    ) throws -> String {
        let base = Files.isDirectory(recipe.base) ? recipe.base : try unpacked(recipe, cache: cache, note: note)
        guard !recipe.series.paths.isEmpty else { return base }
        let tree = PatchedTree(base: base, tree: "\(lane)/source", notes: lane)
        try tree.update(recipe.series, baseDigest: recipe.baseDigest)
        return tree.tree
    }

    /// The base's tarball as a tree, unpacked once.
    private func unpacked(_ recipe: KernelRecipe, cache: Cache, note: (String) -> Void) throws -> String {
        let directory = try cache.directory("source")
        let tree = "\(directory)/\(recipe.baseDigest)"
        return try holdingLock("\(tree).lock") {
            if Files.isDirectory(tree) { return tree }
            note("unpacking \(recipe.base)")
            let unfinished = "\(tree).new"
            Files.remove(unfinished)
            try Files.makeDirectory(unfinished)
            _ = try Tool.output(["tar", "-x", "--strip-components=1", "-f", recipe.base, "-C", unfinished])
            guard Files.exists("\(unfinished)/Kconfig") else {
                Files.remove(unfinished)
                throw RunnerError("\(recipe.base) is not a kernel's source")
            }
            try Files.rename(unfinished, to: tree)
            return tree
        }
    }

    private func compile(
        _ recipe: KernelRecipe, source: String, objects: String, log: String, installation: Installation,
        progress: (BuildProgress) -> Void
    ) throws {
        let make = Make(source: source, objects: objects, log: log, jobs: jobs)
        Files.remove(log)
        try make.run("allnoconfig", variables: ["KCONFIG_ALLCONFIG=\(installation.kernelConfig)"], progress: { _ in })
        let request = try KernelConfig(parsing: recipe.config, name: installation.kernelConfig)
        let result = try KernelConfig(parsing: try Files.text("\(objects)/.config"), name: "\(objects)/.config")
        let unmet = request.unmet(in: result)
        guard unmet.isEmpty else {
            throw RunnerError(
                "the kernel's configuration is not as asked for:\n  " + unmet.joined(separator: "\n  "),
                help: "a symbol does not stick if something that it depends on is not asked for in VMImages/kernel.config")
        }
        try make.run("vmlinux", progress: progress)
    }
}

extension KernelStore {
    /// Puts what a build gave into the store.
    fileprivate func add(
        id: String, variant: KernelVariant, objects: String, log: String, recipe: KernelRecipe, withDebugInformation: Bool
    ) throws -> StoredKernel {
        let directory = "\(try cache.directory("kernels"))/\(id)"
        let unfinished = "\(directory).new"
        Files.remove(unfinished)
        try Files.makeDirectory(unfinished)
        _ = try Tool.output(["objcopy", "--strip-debug", "\(objects)/vmlinux", "\(unfinished)/vmlinux"])
        for name in [".config", "System.map"] {
            _ = try Tool.output(["cp", "--", "\(objects)/\(name)", "\(unfinished)/\(name)"])
        }
        _ = try Tool.output(["cp", "--", log, "\(unfinished)/build.log"])
        if withDebugInformation {
            _ = try Tool.output(["cp", "--", "\(objects)/vmlinux", "\(unfinished)/vmlinux.debug"])
        }
        let release = try Files.text("\(objects)/include/config/kernel.release").split(separator: "\n").first ?? ""
        let about: JSON = [
            "variant": .string(variant.rawValue), "release": .string(String(release)), "base": .string(recipe.baseDigest),
            "patches": .array(recipe.patchDigests.map(JSON.string)), "tools": .array(recipe.tools.map(JSON.string)),
        ]
        try Files.write(about.description.utf8, to: "\(unfinished)/about.json")
        Files.remove(directory)
        try Files.rename(unfinished, to: directory)
        guard let kernel = find(id) else { throw RunnerError("cannot read \(directory)") }
        return kernel
    }
}
