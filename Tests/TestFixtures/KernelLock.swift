// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import Glibc

/// The running kernel, for one test at a time: whose programs there are can be counted only while nobody else loads any. It
/// holds between suites, modules and processes (flock(2)).
public enum KernelLock {
    /// Does something while no other test that asks for the lock does.
    ///
    /// It waits without blocking its thread: of those there are as many as processors, and the holder needs one.
    public static func hold(_ body: () async throws -> Void) async throws {
        let path = "/tmp/bpflink_test_kernel.lock"
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw TestFile.Failure(description: "\(path): \(String(cString: strerror(errno)))") }
        // Closing it unlocks it.
        defer { close(file) }
        while flock(file, LOCK_EX | LOCK_NB) != 0 {
            guard errno == EWOULDBLOCK || errno == EINTR else {
                throw TestFile.Failure(description: "\(path): \(String(cString: strerror(errno)))")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        try await body()
    }
}
