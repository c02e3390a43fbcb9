// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf

/// The BPF objects in the kernel, by their ids: what a case made has to be gone after it.
struct Census: Equatable {
    let programs: Set<UInt32>
    let maps: Set<UInt32>
    let types: Set<UInt32>

    static func take() -> Census {
        Census(
            programs: ids { bpf_prog_get_next_id($0, $1) }, maps: ids { bpf_map_get_next_id($0, $1) },
            types: ids { bpf_btf_get_next_id($0, $1) })
    }

    private static func ids(_ next: (UInt32, UnsafeMutablePointer<UInt32>) -> CInt) -> Set<UInt32> {
        var ids: Set<UInt32> = []
        var id: UInt32 = 0
        while next(id, &id) == 0 { ids.insert(id) }
        return ids
    }
}

/// Whether a program of the id is there.
func programExists(_ id: UInt32) -> Bool { Census.take().programs.contains(id) }
