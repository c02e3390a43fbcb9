// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFObject
import SystemPackage

extension Object {
    /// Reads an object from a file, which also names it in messages.
    ///
    /// - Throws: `Errno` if the file cannot be read, ``BPFObject/ObjectError`` if it is no object that can be linked.
    public convenience init(file path: String) throws {
        let file = try FileDescriptor.open(FilePath(path), .readOnly)
        try self.init(bytes: file.closeAfter { try Self.contents(of: file) }, name: path)
    }

    /// No object is larger; what is, is something else, and may have no end.
    private static let maximumSize = 256 << 20

    private static func contents(of file: FileDescriptor) throws -> [UInt8] {
        // What is no ordinary file has no size before it is read.
        let size = (try? file.seek(offset: 0, from: .end)).map { Int(clamping: $0) }
        if size != nil { try file.seek(offset: 0, from: .start) }
        var bytes: [UInt8] = []
        var room = min(size ?? 0, maximumSize) + 1
        while bytes.count <= maximumSize {
            let more = try [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
            }
            if more.isEmpty { return bytes }
            // Most files are one part, which need not be copied.
            if bytes.isEmpty { bytes = more } else { bytes += more }
            room = 1 << 16
        }
        throw Errno.fileTooLarge
    }
}
