// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLink
import SystemPackage

/// Reading object files.
enum ObjectFile {
    /// - Throws: ``Diagnostic`` if the file cannot be read or is not an object.
    static func read(_ path: String) throws -> Object {
        do {
            return try Object(file: path)
        } catch let error as Errno {
            throw Diagnostic(code: "not-found", "\(path) cannot be read: \(error)")
        } catch let error as ObjectError {
            throw Diagnostic(error, in: path)
        }
    }
}
