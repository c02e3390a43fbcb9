// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
@testable import BPFObject
import Testing

/// When two prototypes agree: one rule, one test, on types made by hand.
@Suite struct PrototypeDifferenceTests {
    @Test func signednessAndWidthCount() {
        #expect(difference([.int("int", 4)], [.int("int", 4)]) == nil)
        #expect(
            difference([.int("int", 4)], [.int("unsigned int", 4, signed: false)])
                == "argument 1: expected `int`, found `unsigned int`")
        #expect(difference([.int("long", 8)], [.int("int", 4)]) == "argument 1: expected `long`, found `int`")
    }

    @Test func theNameOfAnIntegerDoesNotCount() {
        #expect(difference([.int("long", 8)], [.int("long long", 8)]) == nil)
    }

    @Test func typedefsAndQualifiersDoNotCount() {
        #expect(difference([.type("number", .typedef(TypeID(4))), .int("int", 4)], [.int("int", 4)]) == nil)
        #expect(
            difference(
                [.type("", .pointer(to: TypeID(4))), .type("", .const(TypeID(5))), .int("int", 4)],
                [.type("", .restrict(TypeID(4))), .type("", .pointer(to: TypeID(5))), .int("int", 4)]) == nil)
    }

    @Test func pointersAgreeByWhatTheyPointTo() {
        #expect(
            difference(
                [.type("", .pointer(to: .void))], [.type("", .pointer(to: TypeID(4))), .int("int", 4)])
                == "argument 1: expected `void *`, found `int *`")
        #expect(
            difference([.type("", .pointer(to: .void))], [.int("long", 8)])
                == "argument 1: expected `void *`, found `long`")
    }

    @Test func structsAgreeByNameSizeAndMembers() {
        func pointer(_ name: String, _ size: Int, _ members: [(String, Int)]) -> [BTFType] {
            [
                .type("", .pointer(to: TypeID(4))),
                .type(
                    name,
                    .structure(
                        BTFType.Structure(
                            isUnion: false, size: size,
                            members: members.map {
                                BTFType.Member(name: $0.0, type: TypeID(5), bitOffset: $0.1, bitSize: 0)
                            }))),
                .int("int", 4),
            ]
        }
        let point = pointer("point", 8, [("x", 0), ("y", 32)])
        #expect(difference(point, pointer("point", 8, [("x", 0), ("y", 32)])) == nil)
        #expect(
            difference(point, pointer("dot", 8, [("x", 0), ("y", 32)]))
                == "argument 1: expected `struct point *`, found `struct dot *`")
        #expect(
            difference(point, pointer("point", 8, [("y", 0), ("x", 32)]))
                == "argument 1: `struct point`: expected a member `x`, found `y`")
        #expect(
            difference(point, pointer("point", 8, [("x", 32), ("y", 0)]))
                == "argument 1: `struct point`: expected member `x` at bit 0, found it at 32")
        #expect(
            difference(point, pointer("point", 8, [("x", 0)]))
                == "argument 1: `struct point`: expected 2 members, found 1")
    }

    @Test func aStructKnownByNameOnlyAgreesWithAnyOfThatName() {
        let forward = [BTFType.type("", .pointer(to: TypeID(4))), .type("task", .forward(isUnion: false))]
        let whole = [
            BTFType.type("", .pointer(to: TypeID(4))),
            .type("task", .structure(BTFType.Structure(isUnion: false, size: 8, members: []))),
        ]
        let other = [BTFType.type("", .pointer(to: TypeID(4))), .type("file", .forward(isUnion: false))]
        #expect(difference(forward, whole) == nil)
        #expect(difference(whole, forward) == nil)
        #expect(difference(forward, other) == "argument 1: expected `struct task *`, found `struct file *`")
    }

    @Test func aStructThatPointsToItselfCanBeCompared() {
        let list = [
            BTFType.type("", .pointer(to: TypeID(4))),
            .type(
                "list",
                .structure(
                    BTFType.Structure(
                        isUnion: false, size: 8,
                        members: [BTFType.Member(name: "next", type: TypeID(3), bitOffset: 0, bitSize: 0)]))),
        ]
        #expect(difference(list, list) == nil)
    }

    @Test func enumsAgreeByNameAndValues() {
        func colour(_ green: Int64) -> [BTFType] {
            let values = [("RED", 0), ("GREEN", green)].map { BTFType.Enumeration.Value(name: $0.0, value: $0.1) }
            return [.type("colour", .enumeration(BTFType.Enumeration(size: 4, isSigned: false, values: values)))]
        }
        #expect(difference(colour(1), colour(1)) == nil)
        #expect(
            difference(colour(1), colour(2)) == "argument 1: `enum colour`: expected other values than those found")
        #expect(difference(colour(1), [.int("int", 4)]) == "argument 1: expected `enum colour`, found `int`")
    }

    @Test func aTagThatOnlyTheImporterHasCounts() {
        let tag = BTFType.type("arg:nonnull", .declTag(on: TypeID(2), component: 0))
        let plain = [BTFType.type("", .pointer(to: .void))]
        #expect(difference(plain + [tag], plain) == nil)
        #expect(
            difference(plain, plain + [tag]) == "argument 1: found the tag `arg:nonnull`, which is not expected")
    }

    @Test func typesWithoutAnEndAreRefusedNotFollowed() {
        let circle = [BTFType.type("a", .typedef(TypeID(4))), .type("b", .typedef(TypeID(3)))]
        #expect(difference(circle, circle) == "argument 1: its type is damaged")
        // A pointer to a pointer to a pointer …, beyond what any stack could follow.
        let chain = (0..<50_000).map { BTFType.type("", .pointer(to: TypeID(UInt32($0 + 4)))) } + [.int("int", 4)]
        #expect(difference(chain, chain)?.hasPrefix("argument 1: ") == true)
    }

    @Test func textOfTypesWithoutAnEndIsCut() {
        // A function that takes two functions, each of which takes two functions, …: the text would double at each level.
        let levels = (0..<64).map { level in
            let next = TypeID(UInt32(level + 4))
            let parameter = BTFType.Parameter(name: "", type: next)
            return BTFType.type("", .prototype(returns: next, parameters: [parameter, parameter]))
        }
        let text = prototype(levels + [.int("int", 4)])?.description ?? ""
        #expect(text.contains("…"))
        #expect(text.utf8.count < 1 << 20)
    }

    // MARK: Helpers

    /// The difference of two functions of one parameter, whose type is the first given.
    private func difference(_ expected: [BTFType], _ found: [BTFType]) -> String? {
        guard let expected = prototype(expected), let found = prototype(found) else { return "no prototype" }
        return found.firstDifference(from: expected)?.description
    }

    /// `void f(T)` with T as type 3, and what it needs from 4 on.
    private func prototype(_ types: [BTFType]) -> Prototype? {
        let parameter = BTFType.Parameter(name: "", type: TypeID(3))
        return Prototype(
            of: TypeID(2),
            in: BTF(
                types: [
                    .type("", .void), .type("", .prototype(returns: .void, parameters: [parameter])),
                    .type("f", .function(prototype: TypeID(1), linkage: .global)),
                ] + types, records: [], section: ByteReader([], 0..<0, what: "BTF")))
    }
}

extension BTFType {
    fileprivate static func type(_ name: String, _ content: Content) -> BTFType { BTFType(name: name, content: content) }

    fileprivate static func int(_ name: String, _ size: Int, signed: Bool = true) -> BTFType {
        .type(
            name,
            .integer(Integer(size: size, bits: size * 8, isSigned: signed, isCharacter: false, isBoolean: false)))
    }
}
