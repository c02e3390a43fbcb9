// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// A section of the object, as its section header tells it.
public struct Section: Hashable, Sendable {
    public let index: SectionIndex
    public let name: String
    /// `sh_type` (elf(5)).
    public let type: UInt32
    /// `sh_flags` (elf(5)).
    public let flags: UInt64
    /// Where the contents begin in the file.
    public let offset: FileOffset
    /// Bytes of contents; for a section without contents in the file (`.bss`), the bytes it occupies in memory.
    public let size: Int
    /// `sh_link`: for a symbol table its strings, for relocations their symbol table.
    public let link: UInt32
    /// `sh_info`: for relocations, the section they patch.
    public let info: UInt32
    /// `sh_addralign`.
    public let alignment: UInt64
    /// `sh_entsize`: bytes of one entry of a table, or 0.
    public let entrySize: UInt64
    /// `sh_addr`; 0 in an object file.
    let address: UInt64
    /// `sh_name`: where the name begins in the section names.
    let nameOffset: UInt32

    /// Whether the contents are in the file (`SHT_NOBITS` and `SHT_NULL` have none).
    public var hasContents: Bool { type != ELFConstant.sectionNoBits && type != ELFConstant.sectionNull }

    /// Whether the section holds BPF instructions.
    public var isCode: Bool { type == ELFConstant.sectionProgramBits && flags & ELFConstant.flagExecutable != 0 }

    /// The bytes of the file that hold the contents; empty for a section without contents.
    public var range: Range<Int> { hasContents ? offset.value..<(offset.value + size) : offset.value..<offset.value }
}
