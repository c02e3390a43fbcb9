// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Which functions of carried objects loaded programs have copies of: what the kernel tells of an import, it does not tell of a
/// copy.
///
/// It is kept as bytes in the kernel, as a ``CarriedObject`` is, and only to be shown: nothing is decided by it.
public struct CopyRecord: Sendable, Equatable {
    /// One function in one program.
    public struct Entry: Sendable, Hashable {
        /// The kernel's id of the program that has the copy.
        public let program: UInt32
        /// The kernel's id of the map that holds the object it was copied from.
        public let object: UInt32
        /// That object's name.
        public let objectName: String
        public let function: String

        public init(program: UInt32, object: UInt32, objectName: String, function: String) {
            self.program = program
            self.object = object
            self.objectName = objectName
            self.function = function
        }
    }

    public let entries: [Entry]

    public init(_ entries: [Entry]) { self.entries = entries }

    // The form, all numbers little-endian: magic, version, number of entries; per entry the ids of program and object, the lengths
    // of the two names, the names.

    /// What the bytes begin with.
    private static let magic = Array("bpfcopy\n".utf8)
    private static let version: UInt32 = 1

    /// The record as it is kept in the kernel.
    public var encoded: [UInt8] {
        var writer = ByteWriter(Self.magic)
        writer.append32(Self.version)
        writer.append32(UInt32(entries.count))
        for entry in entries {
            writer.append32(entry.program)
            writer.append32(entry.object)
            writer.append32(UInt32(entry.objectName.utf8.count))
            writer.append32(UInt32(entry.function.utf8.count))
            writer.append(entry.objectName.utf8)
            writer.append(entry.function.utf8)
        }
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
        guard bytes.starts(with: Self.magic) else {
            throw ObjectError(.malformed, "\(what) does not begin as a record of copies does", at: FileOffset(0))
        }
        let version = try reader.u32(8)
        guard version == Self.version else {
            throw ObjectError(
                .unsupported, "\(what) has version \(version) of the form in which copies are recorded, not \(Self.version)",
                at: FileOffset(8))
        }
        let count = try reader.u32(12)
        var position = 16
        var entries: [Entry] = []
        // An entry has sixteen bytes at least, so the bytes bound the count.
        for _ in 0..<count {
            let start = position
            position += 16
            var names: [String] = []
            for field in [8, 12] {
                let length = Int(try reader.u32(start + field))
                names.append(try reader.part(position, length, what: "a name in \(what)").text())
                position += length
            }
            entries.append(
                Entry(
                    program: try reader.u32(start), object: try reader.u32(start + 4), objectName: names[0], function: names[1]))
        }
        guard position == bytes.count else {
            throw ObjectError(.malformed, "\(what) has \(bytes.count) bytes, of which \(position) are said to be used")
        }
        self.entries = entries
    }
}
