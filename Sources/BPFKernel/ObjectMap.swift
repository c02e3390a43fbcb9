// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFLinker
import BPFObject

/// The map in which a provider carries its object, an encoded ``CarriedObject``. It is bound to the provider with all maps that the
/// object's functions use: as long as the provider lives, so do they.
enum ObjectMap {
    /// The map's name in the kernel.
    static let name = "bpflink_object"

    /// Reads an object.
    ///
    /// - Returns: nil if the map is not one that holds an object.
    /// - Throws: ``KernelError`` if it is one, and what is in it cannot be read or was not written by bpflink.
    static func read(_ id: UInt32) throws(KernelError) -> CarriedObject? {
        guard let (_, bytes) = try FrozenMap.read(id, named: [name]) else { return nil }
        do throws(ObjectError) {
            return try CarriedObject(encoded: bytes, what: "map \(id)")
        } catch {
            throw KernelError(
                .notAProvider, "the object in map \(id) cannot be used: \(error)",
                notes: ["bpflink writes such maps for providers that it loads; another version or another program wrote this one"])
        }
    }
}

extension OpenProgram {
    /// What the program carries to be copied from; nil if it carries nothing.
    ///
    /// - Throws: ``KernelError`` if it carries what cannot be used.
    public func carried() throws(KernelError) -> Carried? {
        try carried { id throws(KernelError) in try ObjectMap.read(id) }
    }

    /// The same.
    ///
    /// - Parameter read: reads the object that is in the map of an id; nil if there is none.
    func carried(_ read: (UInt32) throws(KernelError) -> CarriedObject?) throws(KernelError) -> Carried? {
        var objects: [UInt32: CarriedObject] = [:]
        for id in info.mapIDs { objects[id] = try read(id) }
        if objects.isEmpty { return nil }
        let name = "program \(info.id) (\(info.name))"
        // The maps that the objects state must be the program's own: bytes alone shall give no way to any other map.
        let own = Set(info.mapIDs)
        for (id, object) in objects {
            let foreign = Set(object.maps.values).union(object.imports.values).subtracting(own)
            guard foreign.isEmpty else {
                throw KernelError(
                    .notAProvider, "the object in map \(id) states map \(foreign.min() ?? 0), which is none of \(name)")
            }
        }
        // Its own is the one that no other imports from.
        let imported = objects.values.reduce(into: Set<UInt32>()) { $0.formUnion($1.imports.values) }
        let roots = objects.keys.filter { !imported.contains($0) }
        guard let root = roots.first, roots.count == 1 else {
            throw KernelError(.notAProvider, "\(name) carries \(objects.count) objects, of which \(roots.count) can be its own")
        }
        do throws(CarriedError) {
            return try Carried(root: root, objects: objects)
        } catch {
            throw KernelError(.notAProvider, "the objects that \(name) carries do not fit together: \(error)")
        }
    }
}
