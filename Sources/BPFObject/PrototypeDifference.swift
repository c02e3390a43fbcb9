// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Why an importer's declaration does not agree with a provider's function: the first difference found.
public struct PrototypeDifference: Hashable, Sendable, CustomStringConvertible {
    /// In words, the provider's side as what is expected: "argument 2: expected `long`, found `int`".
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
        var comparison = PrototypeComparison(expected: export.btf, found: btf)
        return comparison.compare(export, self).map(PrototypeDifference.init(description:))
    }
}

/// One comparison. BTF from outside may nest endlessly: pairs already under comparison count as equal, and the number of pairs
/// is bounded.
private struct PrototypeComparison {
    private static let maximumPairs = 20_000
    private static let maximumDepth = 64

    private struct Pair: Hashable {
        let expected: TypeID
        let found: TypeID
        let inStruct: Bool
    }

    let expected: BTF
    let found: BTF
    private var seen: Set<Pair> = []

    init(expected: BTF, found: BTF) {
        self.expected = expected
        self.found = found
    }

    mutating func compare(_ a: Prototype, _ b: Prototype) -> String? {
        if a.parameters.count != b.parameters.count {
            return "expected \(Self.arguments(a.parameters.count)), found \(b.parameters.count)"
        }
        let contract = ArgumentTags(of: a)
        let declared = ArgumentTags(of: b)
        for index in a.parameters.indices {
            if let reason = compare(a.parameters[index].type, b.parameters[index].type) { return "argument \(index + 1): \(reason)" }
            let tags = declared.values(ofParameter: index)
            if tags.isEmpty { continue }
            if let tag = Set(tags).subtracting(contract.values(ofParameter: index)).min() {
                return "argument \(index + 1): found the tag `\(tag)`, which is not expected"
            }
        }
        return compare(a.result, b.result).map { "result: \($0)" }
    }

    private mutating func compare(_ a: TypeID, _ b: TypeID, inStruct: Bool = false, depth: Int = 0) -> String? {
        guard let (aID, aType) = Self.resolve(a, in: expected), let (bID, bType) = Self.resolve(b, in: found) else {
            return "its type is damaged"
        }
        if depth > Self.maximumDepth || seen.count > Self.maximumPairs { return "its type is too complex to compare" }
        if !seen.insert(Pair(expected: aID, found: bID, inStruct: inStruct)).inserted { return nil }
        let next = depth + 1

        switch (aType.content, bType.content) {
        case (.void, .void): return nil
        case (.integer(let x), .integer(let y)):
            return x == y ? nil : unlike(a, b)
        case (.float(let x), .float(let y)):
            return x == y ? nil : unlike(a, b)
        case (.pointer(let x), .pointer(let y)):
            if inStruct { return pointeesHaveOneName(x, y) ? nil : unlike(a, b) }
            // `void *` and `int *` differ as pointers; that a struct behind them differs is told about the struct.
            return compare(x, y, depth: next).map { isStructure(x, y) ? $0 : unlike(a, b) }
        case (.array(let x, let xCount), .array(let y, let yCount)):
            if xCount != yCount { return unlike(a, b) }
            return compare(x, y, inStruct: inStruct, depth: next)
        case (.forward(let x), .forward(let y)):
            return x == y && aType.name == bType.name ? nil : unlike(a, b)
        case (.forward(let x), .structure(let y)):
            return x == y.isUnion && aType.name == bType.name ? nil : unlike(a, b)
        case (.structure(let x), .forward(let y)):
            return x.isUnion == y && aType.name == bType.name ? nil : unlike(a, b)
        case (.structure(let x), .structure(let y)):
            if x.isUnion != y.isUnion || aType.name != bType.name { return unlike(a, b) }
            return compareMembers(x, y, of: "`\(CDeclaration.text(of: aID, in: expected))`", depth: next)
        case (.enumeration(let x), .enumeration(let y)):
            if aType.name != bType.name { return unlike(a, b) }
            let name = "`\(CDeclaration.text(of: aID, in: expected))`"
            if x.size != y.size { return "\(name): expected \(x.size) bytes, found \(y.size)" }
            return x == y ? nil : "\(name): expected other values than those found"
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
        if a.size != b.size { return "\(name): expected \(a.size) bytes, found \(b.size)" }
        if a.members.count != b.members.count {
            return "\(name): expected \(a.members.count) members, found \(b.members.count)"
        }
        for (x, y) in zip(a.members, b.members) {
            if x.name != y.name { return "\(name): expected a member `\(x.name)`, found `\(y.name)`" }
            if x.bitOffset != y.bitOffset || x.bitSize != y.bitSize {
                return "\(name): expected member `\(x.name)` at bit \(x.bitOffset), found it at \(y.bitOffset)"
            }
            if let reason = compare(x.type, y.type, inStruct: true, depth: depth) {
                return "\(name), member `\(x.name)`: \(reason)"
            }
        }
        return nil
    }

    private func pointeesHaveOneName(_ a: TypeID, _ b: TypeID) -> Bool {
        guard let (_, x) = Self.resolve(a, in: expected), let (_, y) = Self.resolve(b, in: found) else { return false }
        switch (x.content, y.content) {
        case (.void, .void), (.integer, .integer), (.float, .float), (.enumeration, .enumeration),
            (.structure, .structure), (.structure, .forward), (.forward, .structure), (.forward, .forward):
            return x.name == y.name
        case (.pointer, .pointer), (.array, .array), (.prototype, .prototype): return true
        default: return false
        }
    }

    /// Whether both are structs or unions of one name, so that it is their contents that differ.
    private func isStructure(_ a: TypeID, _ b: TypeID) -> Bool {
        guard let (_, x) = Self.resolve(a, in: expected), let (_, y) = Self.resolve(b, in: found),
            case .structure = x.content, case .structure = y.content
        else { return false }
        return x.name == y.name
    }

    private func unlike(_ a: TypeID, _ b: TypeID) -> String {
        "expected `\(CDeclaration.text(of: a, in: expected))`, found `\(CDeclaration.text(of: b, in: found))`"
    }

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
