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

/// Waits until what a case made is gone: for as long as anything goes, and two seconds more.
///
/// Programs are freed one after the other, later. Some have no id, such as the code of functions that is an environment's own, and
/// keep what has one, types, until the last of them is gone; a kernel with all its checkers takes seconds for a thousand.
func waitUntilGone(since before: Census) throws {
    var least = Int.max
    while true {
        var now = before
        var areas = 0
        let isGone = try becomes {
            now = Census.take()
            if now == before { return true }
            areas = try programAreas()
            return areas < least
        }
        if now == before { return }
        let left = "programs \(now.programs.subtracting(before.programs).sorted()), maps \(now.maps.subtracting(before.maps).sorted()), "
            + "types \(now.types.subtracting(before.types).sorted())"
        try expect(isGone, "after two seconds in which nothing went, this is left of what the case loaded: \(left)")
        least = areas
    }
}

/// How many areas of memory programs take that the kernel has, be they listed or not.
private func programAreas() throws -> Int {
    try readFile("/proc/vmallocinfo").split(separator: "\n").count { $0.contains(" bpf_prog_") }
}

/// Whether a program of the id is there.
func programExists(_ id: UInt32) -> Bool { Census.take().programs.contains(id) }
