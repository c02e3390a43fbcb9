// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Where the runner keeps what it can make again: `$XDG_CACHE_HOME/bpflink`, by default `~/.cache/bpflink`.
public struct Cache: Sendable {
    public let root: String

    public init(root: String) { self.root = root }

    public init() throws(RunnerError) {
        if let base = Environment["XDG_CACHE_HOME"] {
            root = "\(base)/bpflink"
        } else if let home = Environment["HOME"] {
            root = "\(home)/.cache/bpflink"
        } else {
            throw RunnerError("neither XDG_CACHE_HOME nor HOME is set", help: "set XDG_CACHE_HOME to a directory")
        }
    }

    /// A directory of the cache, which is made if need be.
    func directory(_ name: String) throws(RunnerError) -> String {
        let path = "\(root)/\(name)"
        try Files.makeDirectory(path)
        return path
    }
}

extension Cache {
    /// Removes all but the newest entries of a directory of the cache.
    func prune(_ name: String, keeping count: Int) {
        let directory = "\(root)/\(name)"
        // Locks, and what another process is just making, are not entries.
        let entries = ((try? Files.list(directory)) ?? []).filter { !$0.hasSuffix(".lock") && !$0.hasSuffix(".new") }
        let dated = entries.map { name in
            (path: "\(directory)/\(name)", time: Files.modificationTime("\(directory)/\(name)"))
        }
        for entry in dated.sorted(by: { $0.time > $1.time }).dropFirst(count) { Files.remove(entry.path) }
    }
}
