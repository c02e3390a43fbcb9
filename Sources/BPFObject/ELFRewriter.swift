// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Writes an object with the linker's decisions applied, so that libbpf can open it: bytes in, bytes out.
///
/// Calls to imports become what the plan says and lose their relocations, undefined symbols become absolute ones, which libbpf
/// does not look at, and a library, or what programs of the object share, gets its entry program. Everything else, byte for
/// byte, stays.
public enum ELFRewriter {
    /// Applies a plan.
    ///
    /// - Parameters:
    ///   - object: the object as it was read.
    ///   - fixups: the instructions to change.
    ///   - undeclared: the imports that nothing calls by FD and name, because they are copied or nobody provides them: their type
    ///     information is made acceptable to any kernel.
    ///   - externs: functions of the object that programs of it import; their ids follow the last type of the object.
    ///   - unexported: functions that are not to be exported: to the kernel they are `static`.
    ///   - tagged: of these, the types of those that get the tag ``Function/chainTag``.
    ///   - copies: functions of other objects that the object is given.
    ///   - entry: the entry program to add, for a library or for shared functions.
    /// - Returns: the bytes of the new object; the object's own bytes if there is nothing to do.
    /// - Throws: if a fixup does not find what it expects, or the tables have no room for what is added.
    public static func rewrite(
        _ object: Object, fixups: [Fixup], undeclared: [Import], externs: [ExternFunction] = [],
        unexported: [SymbolIndex] = [], tagged: [TypeID] = [], copies: CodeCopies = .none, entry: SyntheticEntry?
    ) throws(ObjectError) -> [UInt8] {
        var image = ELFImage(object)
        try image.apply(fixups)
        let gone = object.imports.filter { copies.imports[$0.symbol] == nil }
        image.dropRelocations(of: fixups, against: Set(gone.map(\.symbol)))
        for wanted in gone { try image.makeAbsolute(wanted.symbol) }
        for symbol in unexported { try image.makeHidden(symbol) }
        if !undeclared.isEmpty { try image.changeTypes { (btf) throws(ObjectError) in try btf.neutralize(undeclared) } }
        if !externs.isEmpty { try image.changeTypes { (btf) throws(ObjectError) in try btf.add(externs) } }
        if !tagged.isEmpty {
            try image.changeTypes { (btf) in for function in tagged { btf.addTag(Function.chainTag, on: function) } }
        }
        if !copies.functions.isEmpty { try image.add(copies) }
        if let entry { try image.add(entry) }
        return try image.finished()
    }

    /// The object without sections that only debuggers read (DWARF), which are most of what a compiler writes with `-g`.
    public static func withoutDebugging(_ object: Object) -> [UInt8] {
        // The tables that everything else refers to stay, whatever they are called: only contents that are no code go, with the
        // relocations of what goes.
        func isContents(_ section: Section, _ prefix: String) -> Bool {
            section.flags & ELFConstant.flagAllocated == 0 && section.type == ELFConstant.sectionProgramBits && !section.isCode
                && section.name.hasPrefix(prefix)
        }
        return ELFImage(object).bytes { section in
            if isContents(section, ".debug_") || isContents(section, ".rel.debug_") { return true }
            let patched = Int(section.info)
            return section.type == ELFConstant.sectionRelocations && object.sections.indices.contains(patched)
                && isContents(object.sections[patched], ".debug_")
        }
    }
}
