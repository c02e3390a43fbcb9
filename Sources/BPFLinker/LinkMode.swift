// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// How an object comes to the functions that it imports.
public enum LinkMode: String, CaseIterable, Sendable {
    /// Calls of the provider's exports, by FD and name: one image for all importers. It takes a kernel that has such calls.
    case kernel
    /// A copy of each function with what it calls, in the importer, on the provider's own maps and data (pseudo shared library).
    /// Any kernel can do that.
    case copy
    /// Calls where the kernel has them, the provider exports and the kernel lets the program import; else copies.
    case auto
}
