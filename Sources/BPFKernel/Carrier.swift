// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject
import CLibbpf
import SystemPackage

extension LoadedObject {
    /// Has the object's providers carry the object, so that its functions can be copied, too.
    ///
    /// - Parameters:
    ///   - providers: the descriptors of the programs that offer its functions.
    ///   - maps: the object's maps as libbpf made them.
    /// - Returns: what they carry now.
    static func carry(_ plan: LinkPlan, by providers: [CInt], maps: [OpaquePointer]) throws(KernelError) -> Carried? {
        do throws(CallFailure) {
            var ids: [String: UInt32] = [:]
            for map in maps where bpf_map__fd(map) >= 0 {
                ids[elfName(of: map)] = try FrozenMap.information(on: bpf_map__fd(map)).id
            }
            let sources = plan.boundProviders.compactMapValues(\.carried)
            let object = CarriedObject(
                object: plan.object, maps: ids, imports: sources.mapValues(\.root))
            let own = try FrozenMap.make(ObjectMap.name, object.encoded)
            let others = sources.values.reduce(into: Set<UInt32>()) { $0.formUnion($1.mapIDs) }
            for provider in providers {
                try bind(own.number, to: provider)
                for map in maps where bpf_map__fd(map) >= 0 { try bind(bpf_map__fd(map), to: provider) }
                for id in others.sorted() {
                    let map = AnyDescriptor(owning: try libbpfCall { bpf_map_get_fd_by_id(id) })
                    try bind(map.number, to: provider)
                }
            }
            let root = try FrozenMap.information(on: own.number).id
            var objects = sources.values.reduce(into: [:]) { $0.merge($1.objects) { a, _ in a } }
            objects[root] = object
            return try? Carried(root: root, objects: objects)
        } catch {
            throw KernelError(.load, "the object \(plan.object.name) cannot be bound to its provider", error)
        }
    }

    private static func bind(_ map: CInt, to program: CInt) throws(CallFailure) {
        // What the program's code uses is bound already; the kernel says nothing about that.
        try libbpfCall { bpf_prog_bind_map(program, map, nil) }
    }

    /// The name by which the object's code refers to a map: that of its definition, or of the data section. libbpf puts a part of
    /// the object's name in front of `.data`, `.rodata`, `.bss` and `.kconfig`.
    private static func elfName(of map: OpaquePointer) -> String {
        let name = String(cString: bpf_map__name(map))
        guard bpf_map__is_internal(map), let dot = name.firstIndex(of: ".") else { return name }
        return String(name[dot...])
    }
}
