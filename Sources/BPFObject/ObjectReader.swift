// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

extension ELFReader {
    func section(named name: String) -> Section? { sections.first { $0.isContents(named: name) } }
}

extension Object {
    func section(named name: String) -> Section? { sections.first { $0.isContents(named: name) } }
}

extension Section {
    /// Whether it is what programs and their readers know by a name: a table of symbols or relocations is none of that, whatever it
    /// is called.
    func isContents(named name: String) -> Bool { type == ELFConstant.sectionProgramBits && self.name == name }
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
