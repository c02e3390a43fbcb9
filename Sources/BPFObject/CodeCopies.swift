// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Functions of other objects that an object is given copies of, with the maps that they go on using.
///
/// Planned by the linker as a value; ``ELFRewriter`` puts the code in place.
public struct CodeCopies: Sendable {
    /// One object that functions are copied from.
    public struct Source: Sendable {
        public let object: Object
        /// A descriptor of each of the object's maps, by name; those of data sections go by the section's name.
        public let maps: [String: Int32]
        /// What imports of this object's code become.
        public let imports: [SymbolIndex: Target]

        public init(_ object: Object, maps: [String: Int32], imports: [SymbolIndex: Target]) {
            self.object = object
            self.maps = maps
            self.imports = imports
        }
    }

    /// What a copied function calls where its own object has an import.
    public enum Target: Hashable, Sendable {
        /// The copy at this position of ``CodeCopies/functions``.
        case copy(Int)
        /// Nothing: the import is weak; a call carries this immediate, which no helper has.
        case unresolved(poison: Int32)
    }

    public struct Function: Hashable, Sendable {
        /// Position in ``CodeCopies/sources``.
        public let source: Int
        /// Position in ``Object/functions`` of the source.
        public let function: Int

        public init(source: Int, function: Int) {
            self.source = source
            self.function = function
        }
    }

    public let sources: [Source]
    /// In the order in which they are put behind the object's own functions.
    public let functions: [Function]
    /// Which copy each import of the object is; positions in ``functions``.
    public let imports: [SymbolIndex: Int]
    /// The copies that are global functions to the verifier, which looks at such a one once and by itself; positions in
    /// ``functions``. It follows each call of the others, which are static.
    public let globals: Set<Int>

    public init(sources: [Source], functions: [Function], imports: [SymbolIndex: Int], globals: Set<Int> = []) {
        self.sources = sources
        self.functions = functions
        self.imports = imports
        self.globals = globals
    }

    public static let none = CodeCopies(sources: [], functions: [], imports: [:])
}
