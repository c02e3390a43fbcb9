// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import VMProtocol

/// A kernel that was built.
public struct StoredKernel: Sendable {
    /// Its name: the digest of its recipe.
    public var id: String
    public var variant: KernelVariant
    /// What `uname -r` says in it.
    public var release: String
    /// Its directory: `vmlinux`, `.config`, `System.map`, `build.log`, `modules/` if its configuration has some, and
    /// `vmlinux.debug` if asked for.
    public var directory: String

    /// The image that is booted: debug information removed, BTF kept.
    public var image: String { "\(directory)/vmlinux" }

    /// Reads what a build left; nil if there is no kernel in the directory, which has its name.
    init?(directory: String) {
        guard let text = try? Files.text("\(directory)/about.json"), let about = try? JSON(parsing: Array(text.utf8)),
            let variant = about["variant"]?.stringValue.flatMap({ KernelVariant($0) }),
            let release = about["release"]?.stringValue
        else { return nil }
        (self.variant, self.release, self.directory) = (variant, release, directory)
        id = LibraryClosure.lastComponent(directory)
    }
}

/// The kernels in the cache. What is there is whole: a kernel is put together beside its place, then renamed.
public struct KernelStore: Sendable {
    let cache: Cache

    public init(cache: Cache) { self.cache = cache }

    /// All kernels, newest last.
    public func all() throws -> [StoredKernel] {
        let directory = try cache.directory("kernels")
        var dated: [(kernel: StoredKernel, time: Int)] = []
        for id in try Files.list(directory) {
            guard let kernel = find(id) else { continue }
            dated.append((kernel, Files.modificationTime("\(directory)/\(id)/about.json")))
        }
        return dated.sorted { $0.time < $1.time }.map(\.kernel)
    }

    /// The kernel of this very name.
    func find(_ id: String) -> StoredKernel? { StoredKernel(directory: "\(cache.root)/kernels/\(id)") }

    /// The kernel that a user named: a variant (as the sources are now), a file, or the start of a name from the list.
    /// - Throws: `RunnerError`
    public func resolve(_ name: String, installation: Installation) throws -> String {
        if let variant = KernelVariant(name) {
            return try current(variant, base: nil, installation: installation).image
        }
        if Files.exists(name) && !Files.isDirectory(name) { return try Files.resolve(name) }
        let named = try all().filter { name.utf8.count >= 4 && $0.id.hasPrefix(name) }
        guard named.count == 1 else {
            throw RunnerError(
                named.isEmpty ? "there is no kernel '\(name)'" : "'\(name)' names \(named.count) kernels",
                help: "say stock, patched or patched@N, also with +debug, +selftests or +selftests+debug; or a file, or a name from `bpflink-vm kernel list`")
        }
        return named[0].image
    }

    /// The kernel that a build would give now.
    /// - Throws: `RunnerError` if it is not built.
    public func current(_ variant: KernelVariant, base: String?, installation: Installation) throws -> StoredKernel {
        let recipe = try KernelRecipe.make(variant, base: base, installation: installation, cache: cache)
        guard let kernel = find(try recipe.identity()) else {
            throw RunnerError(
                "the \(variant) kernel is not built as the sources are now",
                help: "bpflink-vm kernel build \(variant.options)")
        }
        return kernel
    }
}
