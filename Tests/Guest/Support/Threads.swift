// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc
import Synchronization

/// Runs `body` in several threads at a time.
///
/// - Throws: what the first of them throws.
func concurrently(_ count: Int, _ body: @escaping @Sendable () throws -> Void) throws {
    let work = Work(body)
    var threads = [pthread_t](repeating: 0, count: count)
    for index in 0..<count {
        let result = pthread_create(
            &threads[index], nil,
            { pointer in
                Unmanaged<Work>.fromOpaque(pointer!).takeRetainedValue().run()
                return nil
            }, Unmanaged.passRetained(work).toOpaque())
        try expect(result == 0, "no thread can be started: \(String(cString: strerror(result)))")
    }
    for thread in threads { pthread_join(thread, nil) }
    if let failure = work.failure.withLock({ $0 }) { throw failure }
}

private final class Work: Sendable {
    let body: @Sendable () throws -> Void
    let failure = Mutex<(any Error)?>(nil)

    init(_ body: @escaping @Sendable () throws -> Void) { self.body = body }

    func run() {
        do { try body() } catch {
            failure.withLock { $0 = $0 ?? error }
        }
    }
}
