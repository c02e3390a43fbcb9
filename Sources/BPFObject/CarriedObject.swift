// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// An object as a provider carries it with it: the file, and where its maps and imports are in the running kernel.
///
/// Whoever finds the provider, in whatever process, can copy functions out of it that go on using the provider's own maps. It
/// is kept as bytes in the kernel, where any process with the privilege may put such bytes: reading them trusts nothing.
public struct CarriedObject: Sendable {
    /// The object; debugging sections that only debuggers read are not kept.
    public let object: Object
    /// The kernel's ids of the object's maps, by name; those of data sections go by the section's name.
    public let maps: [String: UInt32]
    /// What the object imports: by function, the id of the map that holds the object which has it.
    public let imports: [String: UInt32]

    public init(object: Object, maps: [String: UInt32], imports: [String: UInt32]) {
        self.object = object
        self.maps = maps
        self.imports = imports
    }

    // The form, all numbers little-endian: magic, version, length of everything, number of maps, number of imports, length of the
    // object's name, length of the object; the name; per map and per import a number, the length of a name and the name; zeros
    // up to a multiple of 8; the object.

    /// What the bytes begin with.
    private static let magic = Array("bpflink\n".utf8)
    private static let version: UInt32 = 1
    private static let headerSize = 32

    /// The object as it is kept in the kernel.
    public var encoded: [UInt8] {
        let file = ELFRewriter.withoutDebugging(object)
        let name = Array(object.name.utf8)
        var writer = ByteWriter(Self.magic)
        for number in [Self.version, 0, UInt32(maps.count), UInt32(imports.count), UInt32(name.count), UInt32(file.count)] {
            writer.append32(number)
        }
        writer.append(name)
        for (name, id) in maps.sorted(by: { $0.key < $1.key }) + imports.sorted(by: { $0.key < $1.key }) {
            writer.append32(id)
            writer.append32(UInt32(name.utf8.count))
            writer.append(Array(name.utf8))
        }
        writer.align(8)
        writer.append(file)
        writer.put32(UInt32(writer.count), at: 12)
        return writer.bytes
    }

    /// Reads what is kept in the kernel.
    ///
    /// - Parameters:
    ///   - bytes: what ``encoded`` made, or anything else.
    ///   - what: what messages call the bytes.
    /// - Throws: ``ObjectError`` at the first thing that is wrong, with its place.
    public init(encoded bytes: [UInt8], what: String) throws(ObjectError) {
        let reader = ByteReader(bytes, 0..<bytes.count, what: what)
        guard bytes.count >= Self.headerSize, Array(bytes.prefix(Self.magic.count)) == Self.magic else {
            throw ObjectError(.malformed, "\(what) does not begin as a carried object does", at: FileOffset(0))
        }
        let version = try reader.u32(8)
        guard version == Self.version else {
            throw ObjectError(
                .unsupported, "\(what) has version \(version) of the form in which objects are carried, not \(Self.version)",
                at: FileOffset(8))
        }
        guard try reader.u32(12) == bytes.count else {
            throw ObjectError(.truncated, "\(what) states \(try reader.u32(12)) bytes and has \(bytes.count)", at: FileOffset(12))
        }
        var position = Self.headerSize
        func text(_ length: UInt32) throws(ObjectError) -> String {
            let part = try reader.part(position, Int(length), what: "a name in \(what)")
            position += Int(length)
            return try part.text()
        }
        /// Numbers by name; an entry has eight bytes at least, so the bytes bound the count.
        func table(_ count: UInt32) throws(ObjectError) -> [String: UInt32] {
            var table: [String: UInt32] = [:]
            for _ in 0..<count {
                let id = try reader.u32(position)
                let length = try reader.u32(position + 4)
                position += 8
                table[try text(length)] = id
            }
            return table
        }
        let name = try text(try reader.u32(24))
        maps = try table(try reader.u32(16))
        imports = try table(try reader.u32(20))
        position = (position + 7) & ~7
        let file = try reader.part(position, Int(try reader.u32(28)), what: "the object in \(what)")
        object = try Object(bytes: Array(file.all), name: name)
    }
}
