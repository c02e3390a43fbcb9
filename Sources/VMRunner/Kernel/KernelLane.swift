// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// The directories that kernels of one kind are built in, one after the other, so that each build compiles only what
/// changed since the one before. Whoever uses one holds its lock.
struct KernelLane: Sendable {
    let directory: String

    var objects: String { "\(directory)/objects" }
    /// What make said in the last build.
    var log: String { "\(directory)/build.log" }
    private var builtNote: String { "\(directory)/built" }

    /// The name of the kernel whose build is there, whole.
    var built: String? {
        (try? Files.text(builtNote)).flatMap { $0.split(separator: "\n").first }.map(String.init)
    }

    func noteBuilt(_ id: String) throws(RunnerError) { try Files.write("\(id)\n".utf8, to: builtNote) }

    func forgetBuilt() { Files.remove(builtNote) }

    func tree(_ kernel: StoredKernel, source: String, tools: BuildTools) -> KernelTree {
        KernelTree(source: source, objects: objects, pahole: tools.pahole, kernel: kernel)
    }

    /// The tree that a recipe builds from.
    func prepareSource(_ recipe: KernelRecipe, cache: Cache, note: (String) -> Void) throws -> String {
        let base = Files.isDirectory(recipe.base) ? recipe.base : try unpacked(recipe, cache: cache, note: note)
        // The base itself is nobody's to write in; building the selftests writes into the tree.
        if recipe.series.paths.isEmpty && !recipe.variant.configuration.isForSelftests { return base }
        let tree = PatchedTree(base: base, tree: "\(directory)/source", notes: directory)
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
}
