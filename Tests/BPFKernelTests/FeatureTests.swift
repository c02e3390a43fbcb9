// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject
import TestFixtures
import Testing

@testable import BPFKernel

extension RunningKernel {
    @Suite struct FeatureTests {
        /// The answer is what loading a library then shows.
        @Test func theProbeAgreesWithALibrary() throws {
            let plan = try Fixture.plan("subprog")
            switch Features.functionCalls() {
            case .present:
                let loaded = try Loader.load(plan, providers: [], options: LoadOptions())
                #expect(loaded.programs[0].info.exports.count == plan.object.exports.count)
            case .absent:
                let error = try kernelError { _ = try Loader.load(plan, providers: [], options: LoadOptions()) }
                #expect(error.code == .feature)
                #expect(error.message.hasPrefix("kernel lacks FD + name calls; boot one with"))
                #expect(try noMap(named: "counts"))
            case .cannotTell(let error):
                Issue.record("root cannot tell: \(error)")
            }
        }

        /// A kernel that keeps functions tells of them; one that does not refuses what needs it, in words.
        @Test func theProbeForBodiesAgreesWithALibrary() throws {
            var options = LinkOptions()
            options.kernelHasBodies = true
            let plan = try link(try Object(bytes: Fixture.bytes("chain"), name: "chain.bpf.o"), options: options)
            guard Features.functionCalls() == .present, Features.functionBodies() == .present else {
                let error = try kernelError { try Features.requireFunctionBodies() }
                #expect(error.code == .feature)
                #expect(error.message == "kernel lacks full-chain imports; boot one with the patches of KernelPatches applied")
                #expect(try kernelError { _ = try Loader.load(plan, providers: [], options: LoadOptions()) }.code == .feature)
                return
            }
            let loaded = try Loader.load(plan, providers: [], options: LoadOptions())
            #expect(loaded.programs[0].info.bodies.count == plan.object.functions.count)
        }

        @Test func whatCannotBeSharedIsSaid() throws {
            var options = LoadOptions()
            options.sharesImages = true
            let plan = try Fixture.plan("steps")
            guard Features.sharedImages() == .present else {
                let error = try kernelError { _ = try Loader.load(plan, providers: [], options: options) }
                #expect(error.message.hasPrefix("kernel lacks sharing of native code; boot one with"))
                return
            }
            #expect(try Loader.load(plan, providers: [], options: options).programs.count > 1)
        }

        @Test func aProgramWithoutExportsIsNoProvider() throws {
            let loaded = try Loader.load(try Fixture.plan("plain"), providers: [], options: LoadOptions())
            let program = try OpenProgram.open(.id(loaded.programs[0].info.id))
            let error = try kernelError { _ = try program.providerSnapshot(namedAs: .id(program.info.id)) }
            #expect(error.code == .notAProvider)
        }
    }
}
