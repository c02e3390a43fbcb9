// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject
import CLibbpf
import Glibc
import TestFixtures
import Testing

@testable import BPFKernel

extension RunningKernel {
    /// Objects in maps that are bound to programs: those that bpflink wrote, and those that it did not.
    @Suite(.enabled(if: isRoot, "loading programs takes root")) struct CarrierTests {
        @Test func aLibraryIsFoundAgainInItsProgram() throws {
            let loaded = try Self.library("subprog")
            let carried = try #require(try Self.program(of: loaded).carried())
            let object = try #require(carried.objects[carried.root])
            #expect(object.object.exports.map(\.name) == ["bpf_subprog", "bpf_subprog_total", "bpf_subprog_scale"])
            #expect(object.maps == Dictionary(uniqueKeysWithValues: loaded.maps.map { map in
                (map.name.hasSuffix(".bss") ? ".bss" : map.name, map.id)
            }))
            #expect(loaded.carried?.root == carried.root)
        }

        @Test func aProgramWithoutAnObjectCarriesNothing() throws {
            let loaded = try Loader.load(try Fixture.plan("plain"), providers: [], options: LoadOptions())
            #expect(try Self.program(of: loaded).carried() == nil)
        }

        @Test func otherBytesInAMapOfTheNameAreRefused() throws {
            let loaded = try Loader.load(try Fixture.plan("plain"), providers: [], options: LoadOptions())
            try Self.bind([UInt8](repeating: 7, count: 100), to: loaded)
            let error = try kernelError { _ = try Self.program(of: loaded).carried() }
            #expect(error.code == .notAProvider)
            #expect(error.message.contains(" cannot be used: map "))
            #expect(error.message.contains(" does not begin as a carried object does"))
        }

        @Test func aMapThatCanStillChangeIsPassedOver() throws {
            let loaded = try Loader.load(try Fixture.plan("plain"), providers: [], options: LoadOptions())
            try Self.bind([UInt8](repeating: 7, count: 100), to: loaded, isFrozen: false)
            #expect(try Self.program(of: loaded).carried() == nil)
        }

        @Test func anObjectThatStatesMapsOfOthersIsRefused() throws {
            let other = try Self.library("rich")
            let foreign = try #require(other.maps.first).id
            let loaded = try Loader.load(try Fixture.plan("plain"), providers: [], options: LoadOptions())
            let object = try CarriedObject(
                object: Object(bytes: Fixture.bytes("subprog"), name: "subprog.bpf.o"), maps: ["counts": foreign], imports: [:])
            try Self.bind(object.encoded, to: loaded)
            let error = try kernelError { _ = try Self.program(of: loaded).carried() }
            #expect(error.message.contains(" states map \(foreign), which is none of program "))
        }

        @Test func twoObjectsOfWhichEachCouldBeTheProgramsOwnAreRefused() throws {
            let loaded = try Loader.load(try Fixture.plan("plain"), providers: [], options: LoadOptions())
            for name in ["subprog", "memory"] {
                let object = try CarriedObject(object: Object(bytes: Fixture.bytes(name), name: name), maps: [:], imports: [:])
                try Self.bind(object.encoded, to: loaded)
            }
            let error = try kernelError { _ = try Self.program(of: loaded).carried() }
            #expect(error.message.contains(" carries 2 objects, of which 2 can be its own"))
        }

        private static func library(_ fixture: String) throws -> LoadedObject {
            var options = LinkOptions()
            options.mode = .copy
            let object = try Object(bytes: Fixture.bytes(fixture), name: "\(fixture).bpf.o")
            return try Loader.load(try link(object, options: options), providers: [], options: LoadOptions())
        }

        private static func program(of loaded: LoadedObject) throws -> OpenProgram {
            try OpenProgram.open(.descriptor(loaded.programs[0].descriptor))
        }

        /// Binds a map that is like one in which objects are carried.
        private static func bind(_ bytes: [UInt8], to loaded: LoadedObject, isFrozen: Bool = true) throws {
            let map = AnyDescriptor(
                owning: bpf_map_create(BPF_MAP_TYPE_ARRAY, ObjectMap.name, 4, UInt32(bytes.count), 1, nil))
            try #require(map.number >= 0)
            var key: UInt32 = 0
            try #require(bpf_map_update_elem(map.number, &key, bytes, 0) == 0)
            if isFrozen { try #require(bpf_map_freeze(map.number) == 0) }
            try #require(bpf_prog_bind_map(loaded.programs[0].descriptor, map.number, nil) == 0)
        }
    }
}
