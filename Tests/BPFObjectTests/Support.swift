// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFObject
import TestFixtures

extension Object {
    /// A fixture, read.
    convenience init(fixture name: String) throws {
        try self.init(bytes: Fixture.bytes(name), name: "\(name).bpf.o")
    }
}

/// The error that reading bytes ends in, or nil if they can be read.
func fault(_ bytes: [UInt8]) -> ObjectError? {
    do throws(ObjectError) {
        _ = try Object(bytes: bytes, name: "test")
        return nil
    } catch {
        return error
    }
}
