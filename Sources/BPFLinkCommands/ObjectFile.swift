// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFObject
import SystemPackage

/// Reading object files.
enum ObjectFile {
    /// - Throws: ``Diagnostic`` if the file cannot be read or is not an object.
    static func read(_ path: String) throws -> Object {
        let bytes: [UInt8]
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly)
            bytes = try file.closeAfter { try contents(of: file) }
        } catch let error as Errno {
            throw Diagnostic(code: "not-found", "\(path) cannot be read: \(error)")
        }
        do {
            return try Object(bytes: bytes, name: path)
        } catch {
            throw Diagnostic(error, in: path)
        }
    }

    /// No object is larger; what is, is something else, and may have no end.
    private static let maximumSize = 256 << 20

    private static func contents(of file: FileDescriptor) throws -> [UInt8] {
        var bytes: [UInt8] = []
        let chunk = 1 << 16
        while true {
            let start = bytes.count
            bytes += repeatElement(0, count: chunk)
            let count = try bytes.withUnsafeMutableBytes {
                try file.read(into: UnsafeMutableRawBufferPointer(rebasing: $0[start...]))
            }
            bytes.removeLast(chunk - count)
            if count == 0 { return bytes }
            if bytes.count > maximumSize { throw Errno.fileTooLarge }
        }
    }
}
