// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc

/// Which file a path leads to: two paths with one identity are two spellings, or links, of the same file.
public struct FileIdentity: Hashable, Sendable {
    let device: dev_t
    private let inode: ino_t

    /// - Returns: nil if the path leads to nothing.
    public init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    /// What is at a path itself, be it a symbolic link.
    ///
    /// - Returns: nil if nothing is there.
    init?(at path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        self.init(status)
    }

    private init(_ status: stat) {
        device = status.st_dev
        inode = status.st_ino
    }
}
