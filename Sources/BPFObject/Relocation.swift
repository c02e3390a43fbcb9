// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// A place in a section that refers to a symbol (`Elf64_Rel`).
public struct Relocation: Hashable, Sendable {
    /// How the place is patched (`Documentation/bpf/llvm_reloc.rst` of the kernel).
    public struct Kind: RawRepresentable, Hashable, Sendable {
        public let rawValue: UInt32
        public init(rawValue: UInt32) { self.rawValue = rawValue }
        /// `R_BPF_64_64`: the 64-bit immediate of a two-slot load: an address.
        public static let wideImmediate = Kind(rawValue: 1)
        /// `R_BPF_64_32`: the immediate of a call.
        public static let call = Kind(rawValue: 10)
    }

    /// The section that is patched.
    public let section: SectionIndex
    /// Bytes from the start of that section.
    public let offset: UInt64
    public let symbol: SymbolIndex
    public let kind: Kind
    /// Where the entry itself lies in the file.
    public let entry: FileOffset
}
