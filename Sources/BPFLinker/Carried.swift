// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
public import BPFObject

/// What a provider carries with it: its own object, and those that it imports from.
public struct Carried: Sendable {
    /// The provider's own object, as a key of ``objects``.
    public let root: UInt32
    /// By the kernel's id of the map that holds the object.
    public let objects: [UInt32: CarriedObject]

    /// - Throws: ``CarriedError`` if the objects do not fit together: what is imported is not there, or imports form a cycle.
    public init(root: UInt32, objects: [UInt32: CarriedObject]) throws(CarriedError) {
        self.root = root
        self.objects = objects
        // Depth first; an object that is met again on the way to itself imports from itself.
        var done: Set<UInt32> = []
        var path: [(id: UInt32, next: [UInt32])] = []
        func enter(_ id: UInt32) throws(CarriedError) {
            guard let object = objects[id] else { throw CarriedError.missing(id) }
            path.append((id, Array(Set(object.imports.values))))
        }
        try enter(root)
        while let last = path.indices.last {
            guard let id = path[last].next.popLast() else {
                done.insert(path[last].id)
                path.removeLast()
                continue
            }
            if done.contains(id) { continue }
            if path.contains(where: { $0.id == id }) { throw CarriedError.cycle(id) }
            try enter(id)
        }
    }

    /// Everything that has to be reachable for a copy of any of the functions: the maps that hold objects, and the objects' maps.
    public var mapIDs: Set<UInt32> {
        objects.values.reduce(into: Set(objects.keys)) { $0.formUnion($1.maps.values) }
    }

    /// The functions that can be copied from it.
    public var exports: [ProviderExport] {
        objects[root]?.object.exports.map { ProviderExport(prototype: $0.prototype, isCallable: false) } ?? []
    }

    /// What a provider offers that carries this: what can be called in it, and to be copied, all else that a library has. Of an object
    /// with programs each has its own part, which is all only if nothing can be called.
    public func offered(by exported: [ProviderExport]) -> [ProviderExport] {
        guard exported.isEmpty || objects[root]?.object.isLibrary == true else { return exported }
        let names = Set(exported.map(\.name))
        return exported + exports.filter { !names.contains($0.name) }
    }
}

/// Why carried objects cannot be used.
public enum CarriedError: Error, Sendable, Equatable {
    /// An object that is imported from is not there.
    case missing(UInt32)
    /// An object that imports from itself, directly or through others.
    case cycle(UInt32)
}
