// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// A function that the object uses and does not define: an `extern` declaration in C.
///
/// Functions and variables that libbpf itself resolves (`__ksym`, `__kconfig`) are not imports.
public struct Import: Sendable {
    public let name: String
    /// Declared `__weak`: it may stay unresolved.
    public let isWeak: Bool
    /// Declared `__bpf_chain`: it is to be verified together with the object's programs, where its provider keeps it for that.
    public var isMarked: Bool { prototype.btf.hasTag(Function.chainTag, on: typeID) }
    /// What the object was compiled against.
    public let prototype: Prototype
    /// The `BTF_KIND_FUNC` with linkage extern in the object's BTF.
    public let typeID: TypeID
    /// The undefined symbol.
    public let symbol: SymbolIndex
    /// Every place that uses it, in the order of sections and instructions.
    public let sites: [ImportSite]

    /// The same import, as far as it is used at some of its sites.
    public func used(at isIncluded: (ImportSite) -> Bool) -> Import {
        Import(
            name: name, isWeak: isWeak, prototype: prototype, typeID: typeID, symbol: symbol, sites: sites.filter(isIncluded))
    }
}

/// A place that uses an import.
public struct ImportSite: Hashable, Sendable {
    public enum Use: String, Hashable, Sendable {
        /// `call`, relocated by `R_BPF_64_32`.
        case call
        /// A load of its address, relocated by `R_BPF_64_64`.
        case address
    }

    public let use: Use
    /// The function that contains the place.
    public let function: String
    public let section: SectionIndex
    public let sectionName: String
    /// The instruction, counted from the start of the section.
    public var instruction: InstructionIndex
    /// The line of source, if the object has line information.
    public let source: SourceLocation?
}

extension ImportSite: CustomStringConvertible {
    /// For example, with `prog` in backticks: `prog (section socket, instruction 2, app.bpf.c:4)`.
    public var description: String {
        var words = "`\(function)` (section \(sectionName), instruction \(instruction)"
        if let source { words += ", \(source)" }
        return words + ")"
    }
}

/// A line of C source, from `.BTF.ext`.
public struct SourceLocation: Hashable, Sendable, CustomStringConvertible {
    /// The path as the compiler recorded it; a file in the directory of the compilation goes by its name alone.
    public let file: String
    public let line: Int
    public let column: Int

    public init(file: String, line: Int, column: Int) {
        self.file = file
        self.line = line
        self.column = column
    }

    /// `file:line`.
    public var description: String { "\(file):\(line)" }
}
