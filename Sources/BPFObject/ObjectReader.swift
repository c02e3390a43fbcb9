// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

extension Object {
    /// Reads an object file.
    ///
    /// - Parameters:
    ///   - bytes: the whole file.
    ///   - name: how messages name it, usually its path.
    /// - Throws: ``ObjectError`` at the first thing that is wrong, with its place. Bytes from any source are safe to read:
    ///   nothing they state is used unchecked, and time and memory are bounded by their number.
    public init(bytes: [UInt8], name: String) throws(ObjectError) {
        let elf = try ELFReader(bytes)
        let info = try TypeInformation(elf)
        let code = try CodeReader(elf, info)
        let imports = try ImportReader(elf, info, code).readAll()

        self.name = name
        self.bytes = bytes
        self.sections = elf.sections
        self.sectionNames = elf.sectionNames
        self.symbols = elf.symbols
        self.relocations = elf.relocations
        self.functions = code.functions
        self.exports = code.exports
        self.imports = imports
        self.entryPrograms = code.entryPrograms
        self.calls = try code.callEdges()
        self.storesPrograms = elf.dataRelocations.contains { relocation in
            let symbol = elf.symbols[relocation.symbol.value]
            return Int(symbol.sectionNumber) < elf.sections.count && elf.sections[Int(symbol.sectionNumber)].isCode
        }
        self.btf = info.btf
        self.license = try elf.section(named: "license").map { section throws(ObjectError) in
            try elf.contents(of: section).string(0)
        }
        if info.btf == nil, isLibrary {
            throw ObjectError(
                .noBTF, "has no BTF, so its functions have no prototypes", help: "compile with `-g`")
        }
    }
}

extension ELFReader {
    func section(named name: String) -> Section? { sections.first { $0.name == name && $0.hasContents } }
}

/// `.BTF` and `.BTF.ext` of an object.
struct TypeInformation {
    let btf: BTF?
    let lines: BTFExtension

    init(_ elf: ELFReader) throws(ObjectError) {
        guard let section = elf.section(named: ".BTF") else {
            btf = nil
            lines = BTFExtension()
            return
        }
        let contents = elf.contents(of: section)
        btf = try BTF(contents)
        if let ext = elf.section(named: ".BTF.ext") {
            lines = try BTFExtension(elf.contents(of: ext), strings: try BTF.strings(contents))
        } else {
            lines = BTFExtension()
        }
    }
}
