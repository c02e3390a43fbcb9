// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// A map that an object declares in `.maps` (libbpf's documentation, "BTF-defined maps").
public struct MapDeclaration: Hashable, Sendable {
    public let name: String
    /// `enum bpf_map_type`, or nil if the declaration does not say.
    public let type: UInt32?
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
                maps.append(MapDeclaration(name: variable.name, type: btf.mapType(of: type)))
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

    private func pointee(of member: String, in id: TypeID) -> TypeID? {
        guard case .structure(let structure)? = self[id]?.content,
            let member = structure.members.first(where: { $0.name == member }),
            case .pointer(let target)? = self[member.type]?.content
        else { return nil }
        return target
    }
}
