// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Which types a C header must have so that functions can be declared and called in it.
public struct HeaderTypes: Sendable {
    /// Types to define, with all that they are made of, in the order of the functions.
    public private(set) var definitions: [TypeID] = []
    /// What is known to be there, but not what is in it: `struct task_struct`.
    public private(set) var forwards: [String] = []

    private let btf: BTF
    private var seen: Set<Need> = []

    /// A type, and how it is needed.
    private struct Need: Hashable {
        var type: TypeID
        /// Through a pointer.
        var isPointee = false
        /// Nobody but the kernel makes it, or another pointer is between.
        var isOpaque = false
    }

    /// - Parameters:
    ///   - functions: of one BTF.
    ///   - btf: that BTF.
    ///   - opaque: names of structs that a caller never makes, so that a pointer to them needs no definition.
    /// - Throws: ``ObjectError`` if one of the types has no name to declare it by, has a name that is none in C, or cannot be
    ///   written within bounds.
    public init(of functions: [Prototype], in btf: BTF, opaque: (_ name: String) -> Bool) throws(ObjectError) {
        self.btf = btf
        try btf.checkNames()
        for function in functions {
            let tags = ArgumentTags(of: function)
            try add(Need(type: function.result), function, opaque)
            for (index, parameter) in function.parameters.enumerated() {
                // A context, and what only the kernel makes.
                let isOpaque = tags.values(ofParameter: index).contains { tag in
                    tag.hasPrefix("arg:ctx") || tag == "arg:trusted" || tag == "arg:untrusted"
                }
                try add(Need(type: parameter.type, isOpaque: isOpaque), function, opaque)
            }
            guard function.name.isIdentifier, !"\(function)".contains("…") else {
                throw ObjectError(.unsupported, "`\(function)` cannot be written in C")
            }
        }
        var weights = TypeWeights(btf)
        for type in definitions { try weights.check(type) }
    }

    /// A caller makes what a parameter points to, so that is defined; what *that* points to need not be.
    private mutating func add(
        _ first: Need, _ function: Prototype, _ opaque: (String) -> Bool
    ) throws(ObjectError) {
        var waiting = [first]
        while let need = waiting.popLast() {
            guard seen.insert(need).inserted, let type = btf[need.type] else { continue }
            var next = need
            switch type.content {
            case .pointer(let target):
                waiting.append(Need(type: target, isPointee: true, isOpaque: need.isOpaque || need.isPointee))
            case .const(let inner), .volatile(let inner), .restrict(let inner), .typeTag(let inner), .array(let inner, _):
                next.type = inner
                waiting.append(next)
            case .typedef: definitions.append(need.type)
            case .structure(let structure):
                if need.isPointee, !type.name.isEmpty, need.isOpaque || opaque(type.name) {
                    forward(isUnion: structure.isUnion, type.name)
                } else {
                    try define(need.type, type, function)
                }
            case .enumeration: try define(need.type, type, function)
            case .forward(let isUnion): forward(isUnion: isUnion, type.name)
            case .prototype(let result, let parameters):
                waiting += ([result] + parameters.map(\.type)).map { Need(type: $0, isPointee: true, isOpaque: true) }
            case .void, .integer, .float: break
            case .function, .variable, .dataSection, .declTag:
                throw ObjectError(.malformed, "type \(need.type) of the BTF is none that a function can take")
            }
        }
    }

    private mutating func define(_ id: TypeID, _ type: BTFType, _ function: Prototype) throws(ObjectError) {
        guard !type.name.isEmpty else {
            throw ObjectError(
                .unsupported, "`\(function)` has a type without a name, which no other file can declare",
                help: "give the type a name")
        }
        definitions.append(id)
    }

    private mutating func forward(isUnion: Bool, _ name: String) {
        let declaration = "\(isUnion ? "union" : "struct") \(name)"
        if !forwards.contains(declaration) { forwards.append(declaration) }
    }
}

extension BTF {
    /// Names from BTF become C: whatever is no identifier would be code of its own there.
    fileprivate func checkNames() throws(ObjectError) {
        func check(_ names: [String]) throws(ObjectError) {
            for name in names where !name.isEmpty && !name.isIdentifier {
                throw ObjectError(.malformed, "the BTF names something `\(name)`, which is no name in C")
            }
        }
        for type in types {
            switch type.content {
            // `unsigned long long`
            case .integer, .float: try check(type.name.split(separator: " ").map(String.init))
            case .structure(let structure): try check([type.name] + structure.members.map(\.name))
            case .enumeration(let enumeration): try check([type.name] + enumeration.values.map(\.name))
            case .prototype(_, let parameters): try check(parameters.map(\.name))
            case .typedef, .forward: try check([type.name])
            case .typeTag, .declTag: try check(type.name.split { ":.-".contains($0) || $0.isNumber }.map(String.init))
            default: break
            }
        }
    }
}

/// Bounds on what writing types as C takes. BTF from outside may nest them endlessly or explosively, or put members so far
/// apart that the padding between them fills the memory; a writer that follows it would.
private struct TypeWeights {
    private static let maximumDepth = 128
    private static let maximumWeight = 1 << 16

    private let btf: BTF
    private var known: [TypeID: Int] = [:]
    private var open: Set<TypeID> = []

    init(_ btf: BTF) { self.btf = btf }

    mutating func check(_ id: TypeID) throws(ObjectError) { _ = try weight(id, isPointee: false, depth: 0) }

    /// libbpf's writer divides by sizes and alignments.
    private func unusable(_ id: TypeID) -> ObjectError {
        ObjectError(.malformed, "type \(id) of the BTF has no size that C can give it")
    }

    /// The pieces that a type is written with where it is used.
    private mutating func weight(_ id: TypeID, isPointee: Bool, depth: Int) throws(ObjectError) -> Int {
        if let known = known[id] { return known }
        guard let type = btf[id] else { return 1 }
        let isNamed = !type.name.isEmpty
        if case .structure = type.content, isNamed, isPointee { return 1 }
        guard depth < Self.maximumDepth, open.insert(id).inserted else {
            throw ObjectError(.unsupported, "type \(id) of the BTF nests too deep, or in itself, to be written in C")
        }
        defer { open.remove(id) }
        var weight = 1
        func add(_ more: Int) throws(ObjectError) {
            weight += more
            if weight > Self.maximumWeight { throw ObjectError(.unsupported, "type \(id) of the BTF is too large to be written in C") }
        }
        var isWrittenByName = false
        switch type.content {
        case .pointer(let target): try add(self.weight(target, isPointee: true, depth: depth + 1))
        case .const(let inner), .volatile(let inner), .restrict(let inner), .typeTag(let inner):
            try add(self.weight(inner, isPointee: isPointee, depth: depth + 1))
        case .array(let inner, _): try add(self.weight(inner, isPointee: false, depth: depth + 1))
        case .typedef(let inner):
            try add(self.weight(inner, isPointee: isPointee, depth: depth + 1))
            isWrittenByName = true
        case .structure(let structure):
            var end = 0
            for member in structure.members {
                try add(self.weight(member.type, isPointee: false, depth: depth + 1))
                try add(max(0, member.bitOffset - end) / 64)
                guard let size = btf.size(of: member.type) else { throw unusable(member.type) }
                end = member.bitOffset + (member.bitSize > 0 ? member.bitSize : 8 * size)
                // "Member exceeds struct_size" (`btf_struct_check_meta()` and its kin); libbpf would pad what is left over.
                guard end <= 8 * structure.size else {
                    throw ObjectError(.malformed, "type \(id) of the BTF has a member beyond its end")
                }
            }
            try add(max(0, 8 * structure.size - end) / 64)
            isWrittenByName = isNamed
        case .prototype(let result, let parameters):
            for inner in [result] + parameters.map(\.type) { try add(self.weight(inner, isPointee: true, depth: depth + 1)) }
        case .enumeration(let enumeration): try add(enumeration.values.count)
        case .integer, .float, .void, .forward: break
        case .function, .variable, .dataSection, .declTag: throw unusable(id)
        }
        switch type.content {
        case .integer, .float, .enumeration: if btf.size(of: id) == nil { throw unusable(id) }
        default: break
        }
        known[id] = isWrittenByName ? 1 : weight
        return isWrittenByName ? 1 : weight
    }
}

extension BTF {
    /// Bytes of a type; nil if it has no size, or one that no compiler gives it (`btf_int_check_meta()` and its kin in
    /// `kernel/bpf/btf.c`), or one in bits that is no `int`, which is what libbpf's writer computes with.
    fileprivate func size(of id: TypeID) -> Int? {
        var id = id
        var count = 1
        func all(_ size: Int) -> Int? { count * size <= Int32.max / 8 ? count * size : nil }
        for _ in 0..<32 {
            switch self[id]?.content {
            case .integer(let integer):
                let isUsual = [1, 2, 4, 8, 16].contains(integer.size) && (1...(8 * integer.size)).contains(integer.bits)
                return isUsual ? all(integer.size) : nil
            case .float(let size): return [2, 4, 8, 12, 16].contains(size) ? all(size) : nil
            case .pointer: return all(8)
            case .structure(let structure): return all(structure.size)
            case .enumeration(let enumeration): return [1, 2, 4, 8].contains(enumeration.size) ? all(enumeration.size) : nil
            case .array(let inner, let elements):
                guard let product = all(elements) else { return nil }
                count = product
                id = inner
            case .typedef(let inner), .const(let inner), .volatile(let inner), .restrict(let inner), .typeTag(let inner):
                id = inner
            default: return nil
            }
        }
        return nil
    }
}
