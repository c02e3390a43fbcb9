// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
@testable import BPFLinkCommands
import BPFLinker
import BPFObject
import TestFixtures
import Testing

/// How the linker's reasons read.
@Suite struct DiagnosticTests {
    @Test func anUndefinedImportNamesPlaceSearchAndRemedy() throws {
        let library = try snapshot("library_on_library")
        #expect(
            try text("import_kprobe", libraries: [library]) == """
                error: undefined import `bpf_subprog` in import_kprobe.bpf.o
                  referenced by `on_rename` (section kprobe/__set_task_comm, instruction N, import_kprobe.bpf.c:12)
                note: searched 1 provider: 7 (library_on_library, id 17)
                help: `--import REF:bpf_subprog` takes it from a loaded program, `--library REF` all that a program exports
                """)
    }

    @Test func aPrototypeMismatchShowsBothTheExpectedFirst() throws {
        #expect(
            try text("wrong_count", libraries: [snapshot("subprog")]) == """
                error: import `bpf_subprog` in wrong_count.bpf.o has another prototype than the export of 7 (subprog, id 17)
                  referenced by `filter` (section socket, instruction N, wrong_count.bpf.c:18)
                note: expected `int bpf_subprog(int kind, const struct event *event)`
                note: found    `int bpf_subprog(int, const struct event *, int)`
                note: expected 2 arguments, found 3
                help: compile wrong_count.bpf.o with the provider's declaration of `bpf_subprog`
                """)
    }

    @Test func aMistypedRequestGetsASuggestion() throws {
        let library = try snapshot("subprog")
        #expect(
            try text(
                "import_kprobe",
                imports: [
                    ImportRequest(name: "bpf_subprog", provider: library),
                    ImportRequest(name: "bpf_subprogs", provider: library),
                ]) == """
                error: `--import 7:bpf_subprogs`: import_kprobe.bpf.o does not import `bpf_subprogs`
                note: it imports `bpf_subprog`
                help: did you mean `bpf_subprog`?
                """)
    }

    @Test func anExportThatIsNotThereShowsWhatIs() throws {
        let library = try snapshot("subprog")
        let others = ProviderSnapshot(
            reference: "id=3", id: 3, name: "lib", tag: library.tag, type: library.type,
            exports: library.exports.filter { $0.name != "bpf_subprog_scale" })
        #expect(
            try text("wrong_type", imports: [ImportRequest(name: "bpf_subprog_scale", provider: others)]) == """
                error: id=3 (lib, id 3) offers no `bpf_subprog_scale`
                  referenced by `filter` (section socket, instruction N, wrong_type.bpf.c:11)
                note: it exports `bpf_subprog`, `bpf_subprog_total`
                help: did you mean `bpf_subprog_total` of id=3?
                """)
    }

    @Test func aProviderThatWasNamedForAnotherImportIsOffered() throws {
        let library = try snapshot("subprog", "pinned=/sys/fs/bpf/lib")
        #expect(
            try text("import_socket", imports: [ImportRequest(name: "bpf_subprog", provider: library)]) == """
                error: undefined import `bpf_subprog_scale` in import_socket.bpf.o
                  referenced by `twice` (section .text, instruction N, import_socket.bpf.c:9)
                note: searched 1 provider: pinned=/sys/fs/bpf/lib (subprog, id 17)
                help: `--import pinned=/sys/fs/bpf/lib:bpf_subprog_scale` takes it from there
                """)
    }

    @Test func severalProvidersOfANameAreNamed() throws {
        #expect(
            try text("import_kprobe", libraries: [snapshot("subprog", "id=1", 1), snapshot("subprog", "id=2", 2)]) == """
                error: several providers offer `bpf_subprog`, which import_kprobe.bpf.o imports
                  referenced by `on_rename` (section kprobe/__set_task_comm, instruction N, import_kprobe.bpf.c:12)
                note: id=1 (subprog, id 1) exports it
                note: id=2 (subprog, id 2) exports it
                help: `--import id=1:bpf_subprog` or `--import id=2:bpf_subprog` decides
                """)
    }

    @Test func providersAreNamedWithWhatTheyOffer() throws {
        let library = try snapshot("subprog")
        func offering(_ id: UInt32, hasBody: Bool) -> ProviderSnapshot {
            ProviderSnapshot(
                reference: "id=\(id)", id: id, name: "p", tag: library.tag, type: library.type,
                exports: library.exports.map { ProviderExport(prototype: $0.prototype, isCallable: false, hasBody: hasBody) })
        }
        let text = try text("import_kprobe", libraries: [library, offering(2, hasBody: true), offering(3, hasBody: false)])
        #expect(
            text.contains(
                """

                note: 7 (subprog, id 17) exports it
                note: id=2 (p, id 2) keeps it to be verified with importers
                note: id=3 (p, id 3) offers copies of it

                """))
    }

    @Test func anObjectThatDoesNotOfferWhatItHasIsNamed() throws {
        #expect(
            try graphText(["import_twice", "import_socket"]).hasPrefix(
                """
                error: undefined import `twice` in import_twice.bpf.o
                  referenced by `filter` (section socket, instruction N, import_twice.bpf.c:11)
                note: import_socket.bpf.o has `twice`, but does not offer it
                help: with `--export` objects with programs offer their functions to the others
                """))
    }

    @Test func aCircleIsToldByItsCalls() throws {
        let after = """
            note: a provider is there before its importers, so one of the objects would have to be loaded before itself
            """
        #expect(
            try graphText(["circle_one", "circle_two", "circle_three"]) == """
                error: objects import from each other: circle_one.bpf.o:step_one → circle_two.bpf.o:circle_two → \
                circle_two.bpf.o:step_two → circle_three.bpf.o:circle_three → circle_three.bpf.o:step_three → \
                circle_one.bpf.o:circle_one → circle_one.bpf.o:step_one
                \(after)
                help: move the functions that both need to a library of their own
                """)
        #expect(
            try graphText(["loose_one", "loose_two"]) == """
                error: objects import from each other: loose_one.bpf.o:calls_two → loose_two.bpf.o:loose_two, \
                loose_two.bpf.o:calls_one → loose_one.bpf.o:loose_one
                \(after)
                note: arrows are calls; where they end, another function of the same object goes on
                help: move the functions that both need to a library of their own
                """)
        #expect(
            try graphDiagnostics(["loose_one", "loose_two"])[0].json.text().hasSuffix(
                #""calls":[["loose_one.bpf.o:calls_two","loose_two.bpf.o:loose_two"],"#
                    + #"["loose_two.bpf.o:calls_one","loose_one.bpf.o:loose_one"]]}"#))
    }

    @Test func whatIsSaidOfAFileBeginsWithItsName() {
        #expect(Diagnostic(ObjectError(.notELF, "is empty, not an ELF file"), in: "x").message == "x is empty, not an ELF file")
        #expect(Diagnostic(ObjectError(.malformed, "section 3 has no end"), in: "x").message == "x: section 3 has no end")
        let cut = ObjectError(.truncated, "is cut off within the ELF header (7 of 64 bytes)", at: FileOffset(7))
        #expect(Diagnostic(cut, in: "x").message == "x is cut off within the ELF header (7 of 64 bytes)")
    }

    @Test func whatTheModeDoesNotAllowIsToldWithARemedy() throws {
        let library = try snapshot("subprog")
        #expect(
            try text("import_kprobe", libraries: [library], mode: .copy) == """
                error: import `bpf_subprog` in import_kprobe.bpf.o cannot be copied from 7 (subprog, id 17)
                  referenced by `on_rename` (section kprobe/__set_task_comm, instruction N, import_kprobe.bpf.c:12)
                note: the provider does not carry its object
                help: libraries carry theirs, and what is loaded with `--export`, if not with `--no-carry`; `--mode kernel` needs none
                """)
        let carrier = ProviderSnapshot(
            reference: "7", id: 17, name: "subprog", tag: library.tag, type: library.type,
            exports: library.exports.map { ProviderExport(prototype: $0.prototype, isCallable: false) })
        #expect(
            try text("import_kprobe", libraries: [carrier], mode: .kernel) == """
                error: import `bpf_subprog` in import_kprobe.bpf.o cannot be called in 7 (subprog, id 17)
                  referenced by `on_rename` (section kprobe/__set_task_comm, instruction N, import_kprobe.bpf.c:12)
                note: the provider does not export anything in the kernel; it carries its object, which functions can be copied from
                help: `--mode copy`, or `auto`, copies the function
                """)
    }

    @Test func whatCannotBeVerifiedAsAskedIsToldWithARemedy() throws {
        let object = try Object(bytes: Fixture.bytes("chain"), name: "chain")
        func provider(isCallable: Bool, hasBody: Bool) -> ProviderSnapshot {
            ProviderSnapshot(
                reference: "7", id: 17, name: "chain", tag: "0123456789abcdef", type: "socket_filter",
                exports: object.exports.map { ProviderExport(prototype: $0.prototype, isCallable: isCallable, hasBody: hasBody) })
        }
        let places = "  referenced by `filter` (section socket, instruction N, import_marked.bpf.c:12)"
        #expect(
            try text("import_marked", libraries: [provider(isCallable: false, hasBody: true)], verification: .once) == """
                error: import `doubled` in import_marked.bpf.o cannot be verified once: 7 (chain, id 17) does not export it
                \(places)
                note: the provider only keeps the function: the kernel verifies it with each program that imports it
                help: `--verify chain` verifies it with each program, as bpflink does if nothing is said
                """)
        #expect(
            try text("import_marked", libraries: [provider(isCallable: true, hasBody: false)], verification: .chain) == """
                error: import `doubled` in import_marked.bpf.o cannot be verified with its programs: 7 (chain, id 17) does not keep it
                \(places)
                note: the provider exports the function: it was verified once, for all importers
                help: without `--verify` bpflink takes the function as the provider offers it
                """)
        #expect(
            try text("import_marked", libraries: [provider(isCallable: false, hasBody: false)], verification: .once)
                .contains("\nnote: the function can be copied only\nhelp: without `--verify` "))
    }

    @Test func jsonTellsTheFactsAsValues() throws {
        let diagnostics = try diagnostics("wrong_type", libraries: [snapshot("subprog")])
        let json = try #require(diagnostics.first).json.text()
        #expect(json.hasPrefix(#"{"code":"prototype-mismatch","message":"import `bpf_subprog_scale`"#))
        #expect(json.contains(#""expected":"int bpf_subprog_scale(int value, unsigned short factor)""#))
        #expect(json.contains(#""found":"int bpf_subprog_scale(int, unsigned long)""#))
        #expect(json.contains(#""line":11"#))
    }

    private func snapshot(_ fixture: String, _ reference: String = "7", _ id: UInt32 = 17) throws -> ProviderSnapshot {
        let object = try Object(bytes: Fixture.bytes(fixture), name: fixture)
        return ProviderSnapshot(
            reference: reference, id: id, name: fixture, tag: "0123456789abcdef", type: "socket_filter",
            exports: object.exports.map { ProviderExport(prototype: $0.prototype) })
    }

    private func diagnostics(
        _ fixture: String, imports: [ImportRequest] = [], libraries: [ProviderSnapshot] = [],
        mode: LinkMode = .auto, verification: Verification? = nil
    ) throws -> [Diagnostic] {
        let name = "\(fixture).bpf.o"
        let object = try Object(bytes: Fixture.bytes(fixture), name: name)
        do throws(LinkErrors) {
            var options = LinkOptions()
            options.mode = mode
            options.verification = verification
            _ = try link(object, imports: imports, libraries: libraries, options: options)
            return []
        } catch {
            return error.errors.map { Diagnostic($0, in: name) }
        }
    }

    private func graphDiagnostics(_ fixtures: [String]) throws -> [Diagnostic] {
        let members = try fixtures.map { try GraphMember(Object(bytes: Fixture.bytes($0), name: "\($0).bpf.o")) }
        do throws(GraphErrors) {
            _ = try link(members)
            return []
        } catch {
            return error.errors.map { Diagnostic($0.error, in: $0.object) }
        }
    }

    private func graphText(_ fixtures: [String]) throws -> String {
        try graphDiagnostics(fixtures).map { $0.text() }.joined(separator: "\n").replacing(/instruction \d+/, with: "instruction N")
    }

    private func text(
        _ fixture: String, imports: [ImportRequest] = [], libraries: [ProviderSnapshot] = [],
        mode: LinkMode = .auto, verification: Verification? = nil
    ) throws -> String {
        try diagnostics(fixture, imports: imports, libraries: libraries, mode: mode, verification: verification).map { $0.text() }.joined(separator: "\n")
            .replacing(/instruction \d+/, with: "instruction N")
    }
}
