// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// `Elf64_Shdr` under change.
struct SectionHeader {
    /// Positions in the file header of `e_shoff` and `e_shnum`, and of `sh_size` in a section header.
    static let tablePositionField = 40
    static let tableCountField = 60
    static let sizeField = 32

    var name: UInt32
    var type: UInt32
    var flags: UInt64 = 0
    var address: UInt64 = 0
    var offset = 0
    var size = 0
    var link: UInt32 = 0
    var info: UInt32 = 0
    var alignment: UInt64
    var entrySize: UInt64 = 0

    init(
        name: UInt32, type: UInt32, flags: UInt64 = 0, link: UInt32 = 0, info: UInt32 = 0, alignment: UInt64,
        entrySize: UInt64 = 0
    ) {
        self.name = name
        self.type = type
        self.flags = flags
        self.link = link
        self.info = info
        self.alignment = alignment
        self.entrySize = entrySize
    }

    init(_ section: Section) {
        self.init(
            name: section.nameOffset, type: section.type, flags: section.flags, link: section.link, info: section.info,
            alignment: section.alignment, entrySize: section.entrySize)
        address = section.address
        offset = section.offset.value
        size = section.size
    }

    func append(to file: inout ByteWriter) {
        file.append32(name)
        file.append32(type)
        file.append64(flags)
        file.append64(address)
        file.append64(UInt64(offset))
        file.append64(UInt64(size))
        file.append32(link)
        file.append32(info)
        file.append64(alignment)
        file.append64(entrySize)
    }
}
