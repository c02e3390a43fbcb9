// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject
import CLibbpf
import Glibc
import LoadComparison
import SystemPackage
import TestFixtures
import Testing

@testable import BPFKernel

extension RunningKernel {
    /// An object without imports is, once loaded, what libbpf alone makes of it: the same programs, instruction for instruction,
    /// the same maps with the same contents; and what libbpf refuses is refused alike. That holds for objects that are left to
    /// libbpf, and for programs that bpflink loads in libbpf's place, as it has to where there are imports.
    @Suite struct RealObjectTests {
        enum Way: String, CaseIterable {
            case byLibbpf = "left to libbpf"
            case interposed = "loaded in its place"
        }

        @Test(arguments: RealObject.compilers)
        func objectsAreLoadedAsLibbpfAloneLoadsThem(compiler: String) throws {
            let objects = RealObject.all(of: compiler)
            guard !objects.isEmpty else {
                print("real objects: \(compiler) is not installed, nothing of it is tested")
                try #require(compiler != "clang", "Scripts/build-fixtures makes the objects")
                return
            }
            // libbpf's own pin of a map by its name, which lasts.
            defer { unlink("/sys/fs/bpf/bpflink_pinned") }
            for way in Way.allCases {
                var tally = Tally()
                for object in objects { try tally.add(Self.compare(object, way)) }
                print("real objects of \(compiler), \(way.rawValue): \(tally.words)")
                #expect(tally.equal > 40)
            }
        }

        /// How many programs came out the same, and which were refused by both.
        struct Tally {
            var equal = 0
            var refused: [String] = []

            mutating func add(_ other: Tally) {
                equal += other.equal
                refused += other.refused
            }

            var words: String { "\(equal) programs are equal, \(refused.count) refused alike: \(refused.joined(separator: ", "))" }
        }

        @Test func whatLibbpfCannotLoadIsSaidInItsWordsOrBetterOnes() throws {
            let words = [
                "arena_data": "bad map relo against 'shared' in section '.addr_space.1'",
                "loose": "bad call relo against 'aside' in section 'apart'",
                "replace": "`instead` replaces a function of a loaded program, and nothing says of which",
                "text": "sec '.text.cold': program 'cold' is static and not supported",
            ]
            for object in RealObject.all(of: "clang") {
                guard let expected = words[object.name] else { continue }
                let program = try #require(try object.object().entryPrograms.last).name
                let error = try kernelError { _ = try Self.load(object, only: program, .byLibbpf) }
                #expect(([error.message] + error.notes).contains { $0.contains(expected) }, "\(object): \(error)")
            }
        }

        /// Compares all programs of an object at once or, if libbpf refuses that, one by one.
        private static func compare(_ object: RealObject, _ way: Way) throws -> Tally {
            let whole = try compare(object, only: nil, way)
            guard whole.equal == 0 else { return whole }
            var tally = Tally()
            for program in try object.object().entryPrograms {
                try tally.add(compare(object, only: program.name, way))
            }
            return tally
        }

        private static func compare(_ object: RealObject, only: String?, _ way: Way) throws -> Tally {
            let place = "\(object)\(only.map { ", \($0)" } ?? ""), \(way.rawValue)"
            let alone: LibbpfAlone
            let again: LibbpfAlone
            do {
                alone = try object.alone(only: only)
                again = try object.alone(only: only)
            } catch let refusal as LibbpfAlone.Refusal {
                return try Self.refusal(of: object, only: only, way, like: refusal, place)
            }
            let theirs = (programs: try alone.programFacts(), maps: try alone.mapFacts())
            let others = try again.programFacts()
            let loaded: LoadedObject
            do {
                loaded = try load(object, only: only, way)
            } catch {
                Issue.record("\(place): libbpf alone loads it, and bpflink says \(error)")
                return Tally(equal: 1)
            }
            let mine = try facts(of: loaded)

            #expect(mine.programs.keys.sorted() == theirs.programs.keys.sorted(), "\(place)")
            #expect(mine.maps.keys.sorted() == theirs.maps.keys.sorted(), "\(place)")
            for (name, expected) in theirs.programs {
                let unstable = try #require(others[name]).unstableImmediates(comparedTo: expected)
                let differences = mine.programs[name]?.differences(from: expected, unstable: unstable)
                #expect(differences == [], "\(place)")
            }
            for (name, expected) in theirs.maps {
                #expect(mine.maps[name]?.differences(from: expected) == [], "\(place)")
            }
            return Tally(equal: theirs.programs.count)
        }

        /// bpflink has to refuse what libbpf refuses, with the same error and libbpf's own words or better ones.
        private static func refusal(
            of object: RealObject, only: String?, _ way: Way, like refusal: LibbpfAlone.Refusal, _ place: String
        ) throws -> Tally {
            let error = try kernelError { _ = try load(object, only: only, way) }
            if let number = error.errno { #expect(number.rawValue == refusal.error, "\(place)") }
            #expect(!(error.notes + error.help).isEmpty, "\(place)")
            return Tally(refused: ["\(object.name)\(only.map { ".\($0)" } ?? "") (\(error.message))"])
        }

        private static func load(_ object: RealObject, only: String?, _ way: Way) throws -> LoadedObject {
            var options = LinkOptions()
            options.only = only.map { [$0] } ?? []
            let plan = try link(try object.object(), options: options)
            switch way {
            case .byLibbpf: return try Loader.load(plan, providers: [], options: LoadOptions())
            case .interposed: return try Loader.loadInterposed(plan, providers: [], options: LoadOptions())
            }
        }

        private static func facts(of loaded: LoadedObject) throws -> (programs: [String: ProgramFacts], maps: [String: MapFacts]) {
            var programs: [String: ProgramFacts] = [:]
            for program in loaded.programs { programs[program.name] = try ProgramFacts(program: program.descriptor) }
            var maps: [String: MapFacts] = [:]
            for map in loaded.maps {
                let number = bpf_map_get_fd_by_id(map.id)
                let descriptor = AnyDescriptor(owning: try #require(number >= 0 ? number : nil))
                maps[map.name] = try MapFacts(map: descriptor.number)
            }
            return (programs, maps)
        }
    }
}
