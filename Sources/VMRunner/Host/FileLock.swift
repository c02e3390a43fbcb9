// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import SystemPackage

/// Calls `body` while this process holds an exclusive lock on a file, which stays. See: 'man 2 flock'.
/// - Parameter waiting: called once if another process holds the lock.
func holdingLock<Result>(_ path: String, waiting: () -> Void = {}, _ body: () throws -> Result) throws -> Result {
    let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw RunnerError("cannot open \(path): \(Errno(rawValue: errno))") }
    defer { close(file) }
    if flock(file, LOCK_EX | LOCK_NB) != 0 {
        waiting()
        while flock(file, LOCK_EX) != 0 {
            guard errno == EINTR else { throw RunnerError("cannot lock \(path): \(Errno(rawValue: errno))") }
        }
    }
    return try body()
}
