// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc

/// Which file a path leads to: two paths with one identity are two spellings, or links, of the same file.
public struct FileIdentity: Hashable, Sendable {
    private let device: UInt64
    private let inode: UInt64

    /// - Returns: nil if the path leads to nothing.
    public init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }
}
