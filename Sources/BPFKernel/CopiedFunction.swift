// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject

/// A function of another program's object that a loaded program has a copy of, and with it a hold on that object's maps.
public struct CopiedFunction: Sendable, Hashable {
    public var function: String
    /// The program that carries the object; nil if none does any more: the maps live on.
    public var providerID: UInt32?
    /// That program's name; of an object that nobody carries, the object's.
    public var providerName: String
    /// Whether the program is a library without code of its own: those that copy from it copy the function, too.
    public var isPassedOn: Bool
}

/// Who has copies of whose functions among loaded programs, as bpflink recorded it in maps that are bound to them; each map is read
/// once, however many programs have it.
struct CopyGraph {
    private let programs: [OpenProgram]
    /// By the id of the map: its name and its value.
    private var values: [UInt32: (name: String, bytes: [UInt8])?] = [:]
    private var objects: [UInt32: CarriedObject?] = [:]
    private var providers: [UInt32: OpenProgram?] = [:]

    /// - Parameter programs: all that are loaded.
    init(_ programs: [OpenProgram]) { self.programs = programs }

    /// What a program carries to be copied from; nil if it carries nothing that could be used.
    mutating func carried(by program: OpenProgram) -> Carried? {
        for id in program.info.mapIDs where objects[id] == nil { objects[id] = .some(object(in: id)) }
        return try? program.carried { id in objects[id] ?? nil }
    }

    /// What a program has copies of.
    mutating func copied(in program: OpenProgram) -> [CopiedFunction] {
        var copied: [CopiedFunction] = []
        for id in program.info.mapIDs {
            guard let value = value(of: id), value.name == CopiesMap.name,
                let record = try? CopyRecord(encoded: value.bytes, what: "map \(id)")
            else { continue }
            for entry in record.entries where entry.program == program.info.id {
                let provider = provider(of: entry.object)
                copied.append(
                    CopiedFunction(
                        function: entry.function, providerID: provider?.info.id,
                        providerName: provider?.info.name ?? entry.objectName, isPassedOn: false))
            }
        }
        guard copied.isEmpty, program.info.exports.isEmpty, program.info.bodies.isEmpty, let carried = carried(by: program)
        else { return copied }
        for (function, object) in (carried.objects[carried.root]?.imports ?? [:]).sorted(by: { $0.key < $1.key }) {
            let provider = provider(of: object)
            copied.append(
                CopiedFunction(
                    function: function, providerID: provider?.info.id,
                    providerName: provider?.info.name ?? carried.objects[object]?.object.name ?? "", isPassedOn: true))
        }
        return copied
    }

    /// The program whose own object is in a map: others may have the map because they import from that object.
    private mutating func provider(of map: UInt32) -> OpenProgram? {
        if let known = providers[map] { return known }
        var found: OpenProgram?
        for program in programs where program.info.mapIDs.contains(map) {
            found = carried(by: program)?.root == map ? program : nil
            if found != nil { break }
        }
        providers[map] = .some(found)
        return found
    }

    private mutating func object(in map: UInt32) -> CarriedObject? {
        guard let value = value(of: map), value.name == ObjectMap.name else { return nil }
        return try? CarriedObject(encoded: value.bytes, what: "map \(map)")
    }

    /// What is damaged, or gone meanwhile, says nothing.
    private mutating func value(of map: UInt32) -> (name: String, bytes: [UInt8])? {
        if let known = values[map] { return known }
        let value = (try? FrozenMap.read(map, named: [ObjectMap.name, CopiesMap.name])) ?? nil
        values[map] = .some(value)
        return value
    }
}
