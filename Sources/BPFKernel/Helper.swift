// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf

/// Names of helpers.
public enum Helper {
    /// The name of a helper, with its number where `linux/bpf.h` does not know it: `map_lookup_elem`, `#300`.
    public static func name(_ number: Int32) -> String {
        clibbpf_helper_name(number).map { String(cString: $0) } ?? "#\(number)"
    }
}

/// Names of map types.
public enum MapType {
    /// libbpf's name of a map type, with its number where libbpf does not know it: `hash`, `#99`.
    public static func name(_ type: UInt32) -> String {
        libbpf_bpf_map_type_str(bpf_map_type(rawValue: type)).map { String(cString: $0) } ?? "#\(type)"
    }
}
