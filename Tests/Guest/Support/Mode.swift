// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import BPFLinker

/// How the objects of a case come to the functions that they import: the same case, the same objects, in either way.
enum Mode {
    @TaskLocal static var current = LinkMode.kernel
    /// When imported functions are verified, if it is not left to the provider.
    @TaskLocal static var verification: Verification?

    /// Options of linking in the way of the case that runs.
    static func options(entry: String = "socket") -> LinkOptions {
        var options = LinkOptions(entrySection: entry)
        options.mode = current
        options.verification = verification
        options.kernelHasBodies = verification == .chain
        return options
    }
}
