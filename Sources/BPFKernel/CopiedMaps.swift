// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import CLibbpf

/// The maps that copied functions use, held open while the object that has the copies is loaded.
final class CopiedMaps {
    private var maps: [UInt32: Holder] = [:]

    private final class Holder {
        let descriptor: AnyDescriptor
        init(_ descriptor: consuming AnyDescriptor) { self.descriptor = descriptor }
    }

    /// - Throws: ``KernelError`` if a map is not there any more; the provider that has it must be held open.
    init(_ plan: CopyPlan) throws(KernelError) {
        for id in plan.mapIDs.sorted() {
            do throws(CallFailure) {
                maps[id] = Holder(AnyDescriptor(owning: try libbpfCall { bpf_map_get_fd_by_id(id) }))
            } catch {
                throw KernelError(.load, "map \(id) of a provider cannot be opened", error)
            }
        }
    }

    /// Descriptors, by the maps' ids.
    var numbers: [UInt32: CInt] { maps.mapValues { $0.descriptor.number } }
}
