// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import Glibc

/// Something that a slot of `fd_array` can refer to; it stays open as long as the program that is to be loaded.
protocol SlotContent: AnyObject {
    var number: CInt { get }
}

/// The owner of a descriptor that a case made by itself.
final class OwnedDescriptor: SlotContent, Sendable {
    let number: CInt

    init(_ number: CInt, _ what: String) throws {
        guard number >= 0 else { throw Failure("\(what): \(String(cString: strerror(errno)))") }
        self.number = number
    }

    deinit { close(number) }
}
