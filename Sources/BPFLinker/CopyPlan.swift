// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
public import BPFObject

/// The functions that an object is given copies of, with all that they call.
///
/// A function of one provider is copied once, however many imports and functions lead to it.
public struct CopyPlan: Sendable {
    /// An object that functions are copied from.
    public struct Source: Sendable {
        /// The map that holds the object.
        public let id: UInt32
        public let carried: CarriedObject
        let imports: [SymbolIndex: CodeCopies.Target]
    }

    /// One function that is copied.
    public struct Function: Sendable {
        public let name: String
        /// The object it comes from, as its provider calls it.
        public let object: String
        /// The map that holds that object.
        public let source: UInt32
        /// Whether it is an import of the object, not only called by one.
        public let isImport: Bool
        /// Whether its provider offers it, so that it could have been imported.
        public let isExport: Bool
    }

    public let sources: [Source]
    let functions: [CodeCopies.Function]
    let imports: [SymbolIndex: Int]
    /// The copies that each copy refers to.
    let references: [Set<Int>]
    /// The copies that the verifier looks at once and by themselves: what is global where it comes from.
    let globals: Set<Int>
    /// Names of imports, of objects that are copied from, that stay unresolved: the poisoned calls count on from the object's own.
    let unresolved: [String]

    static let none = CopyPlan(sources: [], functions: [], imports: [:], references: [], globals: [], unresolved: [])

    /// The ids of all maps that the copies may use.
    public var mapIDs: Set<UInt32> { sources.reduce(into: []) { $0.formUnion($1.carried.maps.values) } }

    /// What is copied, in order.
    public var copied: [Function] {
        let imported = Set(imports.values)
        return functions.enumerated().map { index, copy in
            let source = sources[copy.source]
            let function = source.carried.object.functions[copy.function]
            return Function(
                name: function.name, object: source.carried.object.name, source: source.id, isImport: imported.contains(index),
                isExport: function.isOffered)
        }
    }

    /// What a program has that uses some of the imports: their copies, and those of all that these refer to.
    public func copied(for imports: [Import]) -> [Function] {
        let copied = copied
        return reached(from: imports).sorted().map { copied[$0] }
    }

    /// The copies that some of the imports are, and all that these refer to.
    private func reached(from imports: [Import]) -> Set<Int> {
        var waiting = imports.compactMap { self.imports[$0.symbol] }
        var reached = Set(waiting)
        while let next = waiting.popLast() {
            for other in references[next] where reached.insert(other).inserted { waiting.append(other) }
        }
        return reached
    }

    /// Whether a program that uses some of the imports has copies that the verifier is to look at by themselves.
    public func hasGlobals(for imports: [Import]) -> Bool { !reached(from: imports).isDisjoint(with: globals) }

    /// The copies as the rewriter takes them.
    ///
    /// - Parameter descriptors: of maps, by their ids.
    func codeCopies(maps descriptors: [UInt32: Int32]) -> CodeCopies {
        CodeCopies(
            sources: sources.map { source in
                CodeCopies.Source(
                    source.carried.object, maps: source.carried.maps.compactMapValues { descriptors[$0] },
                    imports: source.imports)
            }, functions: functions, imports: imports, globals: globals)
    }
}

/// Finds what has to be copied for the bindings of an object.
struct CopyPlanner {
    /// Poisoned calls of the object's own imports have the numbers below.
    let firstPoison: Int
    /// Whether copies may be global functions, which the verifier looks at once and by themselves.
    let allowsGlobals: Bool
    private var sourceOf: [UInt32: Int] = [:]
    private var sources: [Source] = []
    private var functions: [CodeCopies.Function] = []
    private var numbers: [CodeCopies.Function: Int] = [:]
    private var references: [Set<Int>] = []
    /// Copies whose calls the verifier has to follow: callbacks, for it takes no address of a global function, and what an importer
    /// marked.
    private var followed: Set<Int> = []
    private var unresolved: [String] = []
    private var errors: [LinkError] = []

    /// An object that functions are copied from.
    private struct Source {
        let id: UInt32
        let carried: CarriedObject
        /// The number of an exported function, by name.
        let exports: [String: Int]
        var imports: [SymbolIndex: CodeCopies.Target] = [:]

        init(id: UInt32, carried: CarriedObject) {
            self.id = id
            self.carried = carried
            // Both are in the order of functions, and only what has a prototype is an export.
            var left = carried.object.exports[...]
            var numbers: [String: Int] = Dictionary(minimumCapacity: left.count)
            for (number, function) in carried.object.functions.enumerated() where function.symbol == left.first?.function.symbol {
                numbers[function.name] = number
                left.removeFirst()
            }
            exports = numbers
        }
    }

    init(firstPoison: Int, allowsGlobals: Bool) {
        self.firstPoison = firstPoison
        self.allowsGlobals = allowsGlobals
    }

    /// - Parameter bindings: imports, and the providers that their functions are copied from.
    mutating func plan(_ bindings: [(import: Import, provider: ProviderSnapshot)], errors: inout [LinkError]) -> CopyPlan {
        var imports: [SymbolIndex: Int] = [:]
        for (wanted, provider) in bindings {
            guard let carried = provider.carried else { continue }
            guard let number = enter(wanted.name, of: carried.root, in: carried, for: provider) else { continue }
            imports[wanted.symbol] = number
            if wanted.isMarked { followed.insert(number) }
        }
        errors += self.errors
        return CopyPlan(
            sources: sources.map { CopyPlan.Source(id: $0.id, carried: $0.carried, imports: $0.imports) },
            functions: functions, imports: imports, references: references, globals: globals, unresolved: unresolved)
    }

    /// The copies that are worth a try as global functions: those that are so where they come from, and nobody wants otherwise.
    private var globals: Set<Int> {
        guard allowsGlobals else { return [] }
        return Set(
            functions.indices.filter { index in
                let copy = functions[index]
                return sources[copy.source].carried.object.functions[copy.function].role == .exported && !followed.contains(index)
            })
    }

    /// Enters a function and all that it refers to.
    private mutating func enter(_ name: String, of id: UInt32, in carried: Carried, for provider: ProviderSnapshot) -> Int? {
        guard let source = source(id, in: carried), let start = sources[source].exports[name] else {
            errors.append(.notCarried(name, provider: provider))
            return nil
        }
        var waiting = [start]
        let first = number(of: start, source).number
        while let function = waiting.popLast() {
            let own = number(of: function, source).number
            for edge in sources[source].carried.object.calls(from: function) {
                let (number, isNew) = number(of: edge.callee, source)
                references[own].insert(number)
                if edge.isAddress { followed.insert(number) }
                if isNew { waiting.append(edge.callee) }
            }
            enterImports(of: function, own, source, in: carried, for: provider)
        }
        return first
    }

    private mutating func number(of function: Int, _ source: Int) -> (number: Int, isNew: Bool) {
        let copy = CodeCopies.Function(source: source, function: function)
        if let known = numbers[copy] { return (known, false) }
        numbers[copy] = functions.count
        functions.append(copy)
        references.append([])
        return (functions.count - 1, true)
    }

    private mutating func source(_ id: UInt32, in carried: Carried) -> Int? {
        if let known = sourceOf[id] { return known }
        guard let object = carried.objects[id] else { return nil }
        sourceOf[id] = sources.count
        sources.append(Source(id: id, carried: object))
        return sources.count - 1
    }

    /// What the function imports from yet other providers is copied from these.
    private mutating func enterImports(of function: Int, _ own: Int, _ source: Int, in carried: Carried, for provider: ProviderSnapshot) {
        let object = sources[source].carried.object
        let code = object.functions[function]
        for wanted in object.imports where wanted.sites.contains(where: { code.contains($0) }) {
            if let known = sources[source].imports[wanted.symbol] {
                if case .copy(let number) = known { references[own].insert(number) }
                continue
            }
            if let id = sources[source].carried.imports[wanted.name] {
                guard let number = enter(wanted.name, of: id, in: carried, for: provider) else { continue }
                if wanted.isMarked { followed.insert(number) }
                sources[source].imports[wanted.symbol] = .copy(number)
                references[own].insert(number)
            } else if wanted.isWeak {
                let poison = Poison.immediate(forImport: firstPoison + unresolved.count)
                unresolved.append(wanted.name)
                sources[source].imports[wanted.symbol] = .unresolved(poison: poison)
            } else {
                errors.append(.notCarried(wanted.name, provider: provider))
            }
        }
    }
}

extension Function {
    fileprivate func contains(_ site: ImportSite) -> Bool {
        section == site.section && instructions.contains(site.instruction)
    }
}
