// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibcap
import Glibc

/// Runs `body` with only these capabilities in effect.
func withCapabilities<Result>(_ wanted: [cap_value_t], _ body: () throws -> Result) throws -> Result {
    guard let before = cap_get_proc(), let during = cap_dup(before) else {
        throw Failure("capabilities cannot be read")
    }
    defer {
        cap_free(UnsafeMutableRawPointer(before))
        cap_free(UnsafeMutableRawPointer(during))
    }
    guard cap_clear_flag(during, CAP_EFFECTIVE) == 0,
        wanted.isEmpty || cap_set_flag(during, CAP_EFFECTIVE, CInt(wanted.count), wanted, CAP_SET) == 0,
        cap_set_proc(during) == 0
    else { throw Failure("capabilities cannot be dropped: \(String(cString: strerror(errno)))") }
    defer { _ = cap_set_proc(before) }
    return try body()
}

extension [cap_value_t] {
    /// What loads networking programs, without the right to see kernel memory.
    static var bpfOnly: [cap_value_t] { [CAP_BPF, CAP_NET_ADMIN] }
}
