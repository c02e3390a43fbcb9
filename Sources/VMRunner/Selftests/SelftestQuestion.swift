// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// What the selftests are to find out, by running on one kernel and on another.
public enum SelftestQuestion: Sendable {
    /// Whether the patched kernel is as good as the stock one.
    case series
    /// Whether the patched kernel's own checkers (`VMImages/debug.config`) find anything, and whether all that passes
    /// without them passes with them.
    case checkers

    /// The kernels, as a user is told of them.
    var names: (before: String, after: String) {
        switch self {
        case .series: ("stock", "patched")
        case .checkers: ("patched", "debug")
        }
    }

    var variants: (before: KernelVariant, after: KernelVariant) {
        let patched = KernelVariant(.all, configuration: .selftests)
        return switch self {
        case .series: (KernelVariant(.none, configuration: .selftests), patched)
        case .checkers: (patched, KernelVariant(.all, configuration: .selftestsDebug))
        }
    }

    /// What the second kernel has and the first has not.
    var difference: String { self == .series ? "series" : "checkers" }
}
