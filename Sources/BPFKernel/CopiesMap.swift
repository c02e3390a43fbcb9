// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject
import CLibbpf

/// The map in which it is recorded what programs have copies of, an encoded ``CopyRecord``. There is one for all programs of an
/// object, bound to those that have copies.
enum CopiesMap {
    /// The map's name in the kernel.
    static let name = "bpflink_copies"

    /// Records what the programs of a plan have copies of, if they have any.
    static func record(_ plan: LinkPlan, in programs: [LoadedProgram]) throws(KernelError) {
        if plan.copies.copied.isEmpty { return }
        var entries: [CopyRecord.Entry] = []
        for program in programs {
            // What only functions of the same library call is none of the importer's concern.
            for copy in plan.copied(into: program.name) where copy.isExport {
                entries.append(
                    CopyRecord.Entry(program: program.info.id, object: copy.source, objectName: copy.object, function: copy.name))
            }
        }
        if entries.isEmpty { return }
        let holders = Set(entries.map(\.program))
        do throws(CallFailure) {
            let map = try FrozenMap.make(name, CopyRecord(entries).encoded)
            let number = map.number
            for program in programs where holders.contains(program.info.id) {
                try libbpfCall { bpf_prog_bind_map(program.descriptor, number, nil) }
            }
        } catch {
            throw KernelError(.load, "it cannot be recorded what programs of \(plan.object.name) have copies of", error)
        }
    }
}
