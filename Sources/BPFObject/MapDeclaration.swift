// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// A map that an object declares in `.maps` (libbpf's documentation, "BTF-defined maps").
public struct MapDeclaration: Hashable, Sendable {
    public let name: String
    /// `enum bpf_map_type`, or nil if the declaration does not say.
    public let type: UInt32?
    /// Whether its values have fields that the kernel manages: locks, timers, pointers to kernel objects, …
    public let hasManagedFields: Bool
}

extension Object {
    /// The maps that the object declares, in the order of their BTF.
    public func maps() -> [MapDeclaration] {
        guard let btf else { return [] }
        var maps: [MapDeclaration] = []
        for section in btf.types where section.name == ".maps" {
            guard case .dataSection(let entries) = section.content else { continue }
            for entry in entries {
                guard let variable = btf[entry.type], case .variable(let type, _) = variable.content else { continue }
                maps.append(MapDeclaration(
                        name: variable.name, type: btf.mapType(of: type), hasManagedFields: btf.hasManagedFields(type)))
            }
        }
        return maps
    }
}

extension BTF {
    /// `__uint(type, N)` declares a member that points to an array of N elements.
    fileprivate func mapType(of id: TypeID) -> UInt32? {
        guard let target = pointee(of: "type", in: id), case .array(_, let count)? = self[target]?.content else { return nil }
        return UInt32(clamping: count)
    }

    /// `__type(value, T)` declares a member that points to T.
    fileprivate func hasManagedFields(_ id: TypeID) -> Bool {
        guard let value = pointee(of: "value", in: id) else { return false }
        var seen: Set<TypeID> = []
        var waiting = [value]
        while let next = waiting.popLast() {
            guard seen.insert(next).inserted, let type = self[next] else { continue }
            switch type.content {
            case .structure(let structure):
                if Self.managed.contains(type.name) { return true }
                waiting += structure.members.map(\.type)
            case .array(let inner, _), .typedef(let inner), .const(let inner), .volatile(let inner): waiting.append(inner)
            // `__kptr` and its kin tag what a pointer points to.
            case .pointer(let target):
                if case .typeTag? = self[target]?.content { return true }
            default: break
            }
        }
        return false
    }

    private func pointee(of member: String, in id: TypeID) -> TypeID? {
        guard case .structure(let structure)? = self[id]?.content,
            let member = structure.members.first(where: { $0.name == member }),
            case .pointer(let target)? = self[member.type]?.content
        else { return nil }
        return target
    }

    /// The types of `btf_parse_fields()` in `kernel/bpf/btf.c`.
    private static let managed: Set<String> = [
        "bpf_spin_lock", "bpf_res_spin_lock", "bpf_timer", "bpf_wq", "bpf_task_work", "bpf_list_head", "bpf_list_node",
        "bpf_rb_root", "bpf_rb_node", "bpf_refcount",
    ]
}
