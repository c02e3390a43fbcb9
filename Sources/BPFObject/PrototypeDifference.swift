// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Why two prototypes do not agree: the first difference found.
public struct PrototypeDifference: Hashable, Sendable, CustomStringConvertible {
    /// In words, e.g. `argument 2: pointee struct rec is 16 bytes, the provider's is 24`.
    public let description: String
}

extension Prototype {
    /// Compares what an importer was compiled against (`self`) with what a provider exports.
    ///
    /// Types agree if a value of one can be used as the other without a change of meaning: integers of one width, signedness
    /// and encoding; enums and structs of one name, size and contents; pointers whose pointees agree. Qualifiers (`const`,
    /// `volatile`, `restrict`), type tags and typedef names do not count, nor do parameter names. Pointers inside a struct
    /// agree by the name of their pointee alone, and a struct that one side knows only by name agrees with any of that name:
    /// neither changes the layout. A parameter tag (`__arg_…`) that the importer declares must be the provider's too; the
    /// provider's own tags bind the call, not the declaration.
    ///
    /// - Returns: nil if they agree.
    public func firstDifference(from export: Prototype) -> PrototypeDifference? {
        var comparison = PrototypeComparison(expected: btf, actual: export.btf)
        return comparison.compare(self, export).map(PrototypeDifference.init(description:))
    }
}

/// One comparison. BTF from outside may nest endlessly: pairs already under comparison count as equal, and the number of pairs
/// is bounded.
private struct PrototypeComparison {
    private static let maximumPairs = 20_000
    private static let maximumDepth = 64

    private struct Pair: Hashable {
        let expected: TypeID
        let actual: TypeID
        let inStruct: Bool
    }

    let expected: BTF
    let actual: BTF
    private var seen: Set<Pair> = []

    init(expected: BTF, actual: BTF) {
        self.expected = expected
        self.actual = actual
    }

    mutating func compare(_ a: Prototype, _ b: Prototype) -> String? {
        if a.parameters.count != b.parameters.count {
            return "takes \(Self.arguments(a.parameters.count)), the provider's takes \(Self.arguments(b.parameters.count))"
        }
        let ours = ArgumentTags(of: a)
        let theirs = ArgumentTags(of: b)
        for index in a.parameters.indices {
            let place = "argument \(index + 1)"
            if let reason = compare(a.parameters[index].type, b.parameters[index].type) { return "\(place): \(reason)" }
            let missing = Set(ours.values(ofParameter: index)).subtracting(theirs.values(ofParameter: index))
            if let tag = missing.min() { return "\(place): has the tag `\(tag)`, the provider's has not" }
        }
        return compare(a.result, b.result).map { "result: \($0)" }
    }

    private mutating func compare(_ a: TypeID, _ b: TypeID, inStruct: Bool = false, depth: Int = 0) -> String? {
        guard let (aID, aType) = Self.resolve(a, in: expected), let (bID, bType) = Self.resolve(b, in: actual) else {
            return "its type is damaged"
        }
        if depth > Self.maximumDepth || seen.count > Self.maximumPairs { return "its type is too complex to compare" }
        if !seen.insert(Pair(expected: aID, actual: bID, inStruct: inStruct)).inserted { return nil }
        let next = depth + 1

        switch (aType.content, bType.content) {
        case (.void, .void): return nil
        case (.integer(let x), .integer(let y)):
            return x == y ? nil : unlike(a, b)
        case (.float(let x), .float(let y)):
            return x == y ? nil : unlike(a, b)
        case (.pointer(let x), .pointer(let y)):
            if inStruct { return comparePointeeNames(x, y) ? nil : unlike(a, b) }
            return compare(x, y, depth: next).map { "pointee: \($0)" }
        case (.array(let x, let xCount), .array(let y, let yCount)):
            if xCount != yCount { return unlike(a, b) }
            return compare(x, y, inStruct: inStruct, depth: next).map { "element: \($0)" }
        case (.forward(let x), .forward(let y)):
            return x == y && aType.name == bType.name ? nil : unlike(a, b)
        case (.forward(let x), .structure(let y)):
            return x == y.isUnion && aType.name == bType.name ? nil : unlike(a, b)
        case (.structure(let x), .forward(let y)):
            return x.isUnion == y && aType.name == bType.name ? nil : unlike(a, b)
        case (.structure(let x), .structure(let y)):
            if x.isUnion != y.isUnion || aType.name != bType.name { return unlike(a, b) }
            return compareMembers(x, y, of: "`\(text(a))`", depth: next)
        case (.enumeration(let x), .enumeration(let y)):
            if aType.name != bType.name { return unlike(a, b) }
            if x.size != y.size { return "`\(text(a))` is \(x.size) bytes, the provider's is \(y.size)" }
            return x == y ? nil : "`\(text(a))` has other values than the provider's"
        case (.prototype(let xResult, let xParameters), .prototype(let yResult, let yParameters)):
            if xParameters.count != yParameters.count { return unlike(a, b) }
            for (x, y) in zip(xParameters, yParameters) {
                if compare(x.type, y.type, inStruct: inStruct, depth: next) != nil { return unlike(a, b) }
            }
            return compare(xResult, yResult, inStruct: inStruct, depth: next) == nil ? nil : unlike(a, b)
        default: return unlike(a, b)
        }
    }

    private mutating func compareMembers(
        _ a: BTFType.Structure, _ b: BTFType.Structure, of name: String, depth: Int
    ) -> String? {
        if a.size != b.size { return "\(name) is \(a.size) bytes, the provider's is \(b.size)" }
        if a.members.count != b.members.count {
            return "\(name) has \(a.members.count) members, the provider's has \(b.members.count)"
        }
        for (x, y) in zip(a.members, b.members) {
            if x.name != y.name { return "\(name) has a member `\(x.name)` where the provider's has `\(y.name)`" }
            if x.bitOffset != y.bitOffset || x.bitSize != y.bitSize {
                return "member `\(x.name)` of \(name) lies elsewhere than in the provider's"
            }
            if let reason = compare(x.type, y.type, inStruct: true, depth: depth) {
                return "member `\(x.name)` of \(name): \(reason)"
            }
        }
        return nil
    }

    private func comparePointeeNames(_ a: TypeID, _ b: TypeID) -> Bool {
        guard let (_, x) = Self.resolve(a, in: expected), let (_, y) = Self.resolve(b, in: actual) else { return false }
        switch (x.content, y.content) {
        case (.void, .void), (.integer, .integer), (.float, .float), (.enumeration, .enumeration),
            (.structure, .structure), (.structure, .forward), (.forward, .structure), (.forward, .forward):
            return x.name == y.name
        case (.pointer, .pointer), (.array, .array), (.prototype, .prototype): return true
        default: return false
        }
    }

    private func unlike(_ a: TypeID, _ b: TypeID) -> String {
        "expected `\(text(a))`, the provider's is `\(CDeclaration.text(of: b, in: actual))`"
    }

    private func text(_ id: TypeID) -> String { CDeclaration.text(of: id, in: expected) }

    private static func arguments(_ count: Int) -> String { count == 1 ? "1 argument" : "\(count) arguments" }

    /// Follows typedefs, qualifiers and type tags to what they stand for.
    private static func resolve(_ id: TypeID, in btf: BTF) -> (TypeID, BTFType)? {
        var id = id
        for _ in 0..<maximumDepth {
            guard let type = btf[id] else { return nil }
            switch type.content {
            case .typedef(let inner), .const(let inner), .volatile(let inner), .restrict(let inner), .typeTag(let inner):
                id = inner
            default: return (id, type)
            }
        }
        return nil
    }
}
