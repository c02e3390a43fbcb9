// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc

/// The kernel's search for memory that nothing refers to any more. What it finds it tells in its log.
/// See: Documentation/dev-tools/kmemleak.rst.
enum LeakSearch {
    private static let file = "/sys/kernel/debug/kmemleak"
    /// Younger memory is never told of (MSECS_MIN_AGE in mm/kmemleak.c): its address may still be on its way.
    private static let leastAge = 5000

    /// Fails if this kernel cannot search, or has given it up.
    static func check() throws(SystemCallError) { try command("stack=on") }

    /// Searches all memory that there is now.
    static func run() throws(SystemCallError) {
        usleep(UInt32(leastAge + 100) * 1000)
        // What the first scan sees for the first time is only taken note of: its content must be the same in two scans.
        for _ in 0..<2 { try command("scan") }
    }

    private static func command(_ word: String) throws(SystemCallError) {
        let descriptor = try bpflink_vm_guest.check("search for leaks (\(file))") { open(file, O_WRONLY | O_CLOEXEC) }
        defer { close(descriptor) }
        try bpflink_vm_guest.check("search for leaks (\(word) to \(file))") {
            Int32(write(descriptor, word, word.utf8.count))
        }
    }
}
