// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Numbers of the ELF format that values above the reader need (elf(5)); the reader takes its own from `elf.h`.
enum ELFConstant {
    /// `SHT_NULL`.
    static let sectionNull: UInt32 = 0
    /// `SHT_PROGBITS`.
    static let sectionProgramBits: UInt32 = 1
    /// `SHT_SYMTAB`.
    static let sectionSymbols: UInt32 = 2
    /// `SHT_STRTAB`.
    static let sectionStrings: UInt32 = 3
    /// `SHT_NOBITS`.
    static let sectionNoBits: UInt32 = 8
    /// `SHT_REL`.
    static let sectionRelocations: UInt32 = 9
    /// `SHF_ALLOC`.
    static let flagAllocated: UInt64 = 2
    /// `SHF_EXECINSTR`.
    static let flagExecutable: UInt64 = 4
    /// `SHN_ABS`.
    static let absoluteSection: UInt16 = 0xfff1
    /// Bytes of `Elf64_Ehdr`, `Elf64_Shdr`, `Elf64_Sym`, `Elf64_Rel`.
    static let headerSize = 64
    static let sectionHeaderSize = 64
    static let symbolSize = 24
    static let relocationSize = 16
}
