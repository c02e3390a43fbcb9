// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Writes types of a BTF as C.
///
/// BTF from outside may nest types endlessly or explosively, so depth and length are bounded; what is cut shows as `…`.
struct CDeclaration {
    private static let maximumDepth = 32
    private static let maximumLength = 4096

    let btf: BTF
    private var written = 0

    private init(_ btf: BTF) { self.btf = btf }

    /// The declaration of a function, without the semicolon.
    static func text(of prototype: Prototype) -> String {
        var writer = CDeclaration(prototype.btf)
        let tags = ArgumentTags(of: prototype)
        let parameters = writer.list(prototype.parameters, depth: 0, tags: tags)
        return writer.declare(prototype.result, "\(prototype.name)(\(parameters))", depth: 0)
    }

    /// A type by itself, e.g. `const struct point *`.
    static func text(of type: TypeID, in btf: BTF) -> String {
        var writer = CDeclaration(btf)
        return writer.declare(type, "", depth: 0)
    }

    /// Declares `declarator` with a type: C writes types around what they declare, from the inside out.
    private mutating func declare(_ id: TypeID, _ declarator: String, depth: Int) -> String {
        written += 1 + declarator.utf8.count / 16
        guard depth < Self.maximumDepth, written < Self.maximumLength, let type = btf[id] else {
            return Self.join("…", declarator)
        }
        let next = depth + 1
        switch type.content {
        case .pointer(let pointee):
            return declare(pointee, "*" + declarator, depth: next)
        case .const, .volatile, .restrict: return qualify(id, declarator, depth: next)
        case .typeTag(let inner): return declare(inner, declarator, depth: next)
        case .array(let element, let count):
            return declare(element, Self.grouped(declarator) + "[\(count)]", depth: next)
        case .prototype(let result, let parameters):
            let list = list(parameters, depth: next, tags: nil)
            return declare(result, Self.grouped(declarator) + "(\(list))", depth: next)
        case .function(let prototype, _):
            return declare(prototype, declarator, depth: next)
        case .void: return Self.join("void", declarator)
        case .structure(let structure):
            return Self.join(Self.tagged(structure.isUnion ? "union" : "struct", type.name), declarator)
        case .forward(let isUnion): return Self.join(Self.tagged(isUnion ? "union" : "struct", type.name), declarator)
        case .enumeration: return Self.join(Self.tagged("enum", type.name), declarator)
        case .integer, .float, .typedef: return Self.join(type.name, declarator)
        case .variable, .dataSection, .declTag: return Self.join("…", declarator)
        }
    }

    /// Qualifiers stand before a plain type and behind the star of a pointer.
    private mutating func qualify(_ id: TypeID, _ declarator: String, depth: Int) -> String {
        var words: [String] = []
        var id = id
        while words.count < Self.maximumDepth, let type = btf[id] {
            switch type.content {
            case .const(let inner): (id, words) = (inner, words + ["const"])
            case .volatile(let inner): (id, words) = (inner, words + ["volatile"])
            case .restrict(let inner): (id, words) = (inner, words + ["restrict"])
            case .pointer(let pointee):
                return declare(pointee, "*" + Self.join(words.joined(separator: " "), declarator), depth: depth)
            default: return Self.join(words.joined(separator: " "), declare(id, declarator, depth: depth))
            }
        }
        return Self.join("…", declarator)
    }

    private mutating func list(_ parameters: [BTFType.Parameter], depth: Int, tags: ArgumentTags?) -> String {
        if parameters.isEmpty { return "void" }
        var text = ""
        for (index, parameter) in parameters.enumerated() {
            if index > 0 { text += ", " }
            if parameter.type == .void && parameter.name.isEmpty {
                text += "..."
                continue
            }
            text += declare(parameter.type, parameter.name, depth: depth)
            for word in tags?.words(ofParameter: index) ?? [] { text += " " + word }
        }
        return text
    }

    /// Array and function bind tighter than the star.
    private static func grouped(_ declarator: String) -> String {
        declarator.hasPrefix("*") ? "(\(declarator))" : declarator
    }

    private static func tagged(_ keyword: String, _ name: String) -> String {
        name.isEmpty ? keyword + " {…}" : keyword + " " + name
    }

    private static func join(_ type: String, _ declarator: String) -> String {
        declarator.isEmpty ? type : type + " " + declarator
    }
}

/// The declaration tags of a function's parameters, as `bpf_helpers.h` spells them.
struct ArgumentTags: Hashable {
    /// Sorted tags by parameter.
    private var tags: [Int: [String]] = [:]

    init(of prototype: Prototype) {
        for tag in prototype.btf.declarationTags(of: prototype.typeID) where tag.component >= 0 {
            tags[tag.component, default: []].append(tag.value)
        }
        for key in tags.keys { tags[key]?.sort() }
    }

    /// The tags as they are in BTF, e.g. `arg:nonnull`.
    func values(ofParameter index: Int) -> [String] { tags[index] ?? [] }

    /// The tags as C, e.g. `__arg_nonnull`.
    func words(ofParameter index: Int) -> [String] {
        values(ofParameter: index).map { tag in
            ArgumentMacro(tag: tag)?.use ?? "__attribute__((btf_decl_tag(\"\(tag)\")))"
        }
    }
}

/// The macro that stands for a tag of a parameter: `bpf_helpers.h` and `bpflink.h` have one for each.
public struct ArgumentMacro: Hashable, Sendable {
    /// The name with its parameter, if it has one.
    public let name: String
    /// What it stands for.
    public let definition: String
    /// How a declaration uses it.
    let use: String

    /// - Parameter tag: e.g. `arg:nonnull`, or `arg:ctx:xdp`; nil if no macro stands for it.
    init?(tag: String) {
        let parts = tag.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.first == "arg", parts.dropFirst().allSatisfy({ $0.isIdentifier }) else { return nil }
        switch parts.count {
        case 2:
            name = "__arg_\(parts[1])"
            use = name
            definition = "__attribute__((btf_decl_tag(\"\(tag)\")))"
        case 3:
            name = "__arg_\(parts[1])_of(type)"
            use = "__arg_\(parts[1])_of(\"\(parts[2])\")"
            definition = "__attribute__((btf_decl_tag(\"arg:\(parts[1]):\" type)))"
        default: return nil
        }
    }
}

extension Prototype {
    /// The macros that the declaration in C uses.
    public var macros: [ArgumentMacro] {
        let tags = ArgumentTags(of: self)
        return parameters.indices.flatMap { tags.values(ofParameter: $0).compactMap(ArgumentMacro.init(tag:)) }
    }
}

extension StringProtocol {
    /// Whether it is an identifier of C.
    public var isIdentifier: Bool {
        guard let first = utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
        return utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
