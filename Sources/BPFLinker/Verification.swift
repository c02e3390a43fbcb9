// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFObject

/// When the kernel verifies a function that programs call by FD and name.
public enum Verification: String, CaseIterable, Sendable {
    /// Once, by itself; calls are checked against its contract.
    case once
    /// With each importer, as a part of it, with the arguments that it passes: the full chain of calls. The function may do what is
    /// safe for these callers only, and costs each of them what a copy would cost to verify; native code is shared all the same.
    case chain

    /// `src_reg` of a call.
    var callSource: UInt8 {
        switch self {
        case .once: Instruction.pseudoProgramCall
        case .chain: Instruction.pseudoProgramBody
        }
    }
}
