// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf

/// Names of helpers.
public enum Helper {
    /// The name of a helper, with its number where `linux/bpf.h` does not know it: `map_lookup_elem`, `#300`.
    public static func name(_ number: Int32) -> String {
        clibbpf_helper_name(number).map { String(cString: $0) } ?? "#\(number)"
    }
}
