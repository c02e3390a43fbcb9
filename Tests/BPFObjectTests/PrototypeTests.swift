// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFObject
import TestFixtures
import Testing

/// Prototypes as C, and which ones agree.
@Suite struct PrototypeTests {
    @Test(arguments: [
        ("of_nothing", "int of_nothing(void)"),
        ("of_typedef", "number of_typedef(number n, _Bool b, char c)"),
        ("of_const", "int of_const(const char *const text, char *const volatile spare)"),
        ("of_enum", "int of_enum(enum colour colour)"),
        ("of_struct", "int of_struct(struct inner *inner, const union either *either)"),
        ("of_array", "int of_array(int (*table)[4], char **words)"),
        ("of_function", "int of_function(int (*call)(int, const struct inner *), void *context)"),
        ("of_unknown", "int of_unknown(struct unknown *unknown)"),
        ("of_tags", "int of_tags(int *value __arg_nonnull, void *context __arg_ctx_of(\"kprobe\"))"),
        ("of_void", "void of_void(long long wide)"),
    ])
    func aPrototypeReadsAsItWasWritten(name: String, declaration: String) throws {
        #expect(try prototype(name, in: "prototypes").description == declaration)
    }

    @Test func everyPrototypeAgreesWithItself() throws {
        for export in try Object(fixture: "prototypes").exports {
            #expect(export.prototype.firstDifference(from: export.prototype) == nil)
        }
    }

    @Test func aSeparateCompilationOfOneHeaderAgrees() throws {
        let importer = try Object(fixture: "import_socket")
        for wanted in importer.imports {
            #expect(try wanted.prototype.firstDifference(from: prototype(wanted.name, in: "subprog")) == nil)
        }
    }

    @Test(arguments: [
        ("wrong_count", "expected 2 arguments, found 3"),
        ("wrong_type", "argument 2: expected `unsigned short`, found `unsigned long`"),
        ("wrong_struct", "argument 2: `struct event`: expected 16 bytes, found 24"),
    ])
    func theFirstDifferenceIsTold(fixture: String, reason: String) throws {
        let wanted = try #require(try Object(fixture: fixture).imports.first)
        let difference = try wanted.prototype.firstDifference(from: prototype(wanted.name, in: "subprog"))
        #expect(difference?.description == reason)
    }

    private func prototype(_ name: String, in fixture: String) throws -> Prototype {
        try #require(try Object(fixture: fixture).exports.first { $0.name == name }).prototype
    }
}
