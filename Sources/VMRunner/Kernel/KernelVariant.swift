// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// How a kernel is configured.
public enum KernelConfiguration: String, Sendable, CaseIterable {
    /// `VMImages/kernel.config`, over `allnoconfig`.
    case plain
    /// The same with the kernel's own checkers: `VMImages/debug.config` is merged over it.
    case debug
    /// What the kernel's own BPF selftests ask for, in the tree that is built
    /// (`tools/testing/selftests/bpf/config{,.vm,.x86_64}`), with `VMImages/selftests.config` merged over it.
    case selftests
    /// The same with the kernel's own checkers.
    case selftestsDebug = "selftests+debug"

    /// The kernel's BPF selftests can run in it.
    var isForSelftests: Bool { self == .selftests || self == .selftestsDebug }

    /// It has the checkers of `VMImages/debug.config`.
    var hasCheckers: Bool { self == .debug || self == .selftestsDebug }

    /// What is merged, in this order: the names of `VMImages/NAME.config`.
    var fragments: [String] {
        switch self {
        case .plain: ["kernel"]
        case .debug: ["kernel", "debug"]
        case .selftests: ["selftests"]
        case .selftestsDebug: ["selftests", "debug"]
        }
    }

    /// Modules that are kept with the kernel, as make names them.
    var modules: [String] {
        switch self {
        // It leaks on purpose: the runner's tests show with it that a leak is noticed.
        case .debug: ["samples/kmemleak/kmemleak-test.ko"]
        case .selftests, .selftestsDebug: ["samples/livepatch/livepatch-sample.ko"]
        case .plain: []
        }
    }

    /// Directories of the tree that building the kernel, and what is kept with it, reads nothing of.
    var unread: [String] {
        isForSelftests ? ["Documentation/"] : ["Documentation/", "tools/bpf/bpftool/", "tools/testing/"]
    }

    /// A directory of the tree that holds modules outside the kernel's own build, which are kept with the kernel too.
    var externalModules: String? { isForSelftests ? "tools/testing/selftests/bpf/test_kmods" : nil }
}

/// Which kernel of the base: how much of the series is applied, and how it is configured.
///
/// As a word: `stock`, `patched`, or `patched@7` for the first seven patches, with `+debug`, `+selftests` or
/// `+selftests+debug` after it for a configuration other than the plain one.
public struct KernelVariant: Hashable, Sendable, CustomStringConvertible {
    public enum Patches: Hashable, Sendable {
        /// As released.
        case none
        /// So many patches from the start of the series, at least one.
        case first(Int)
        /// The whole series.
        case all
    }

    public var patches: Patches
    public var configuration: KernelConfiguration

    public init(_ patches: Patches, configuration: KernelConfiguration = .plain) {
        self.patches = patches
        self.configuration = configuration
    }

    /// Reads what `description` writes; nil for any other word.
    public init?(_ name: String) {
        let parts = name.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        configuration = .plain
        if parts.count == 2 {
            guard let named = KernelConfiguration(rawValue: parts[1]), named != .plain else { return nil }
            configuration = named
        }
        switch parts[0] {
        case "stock": patches = .none
        case "patched": patches = .all
        default:
            guard parts[0].hasPrefix("patched@"), let count = Int(parts[0].dropFirst("patched@".count)), count > 0,
                parts[0] == "patched@\(count)"
            else { return nil }
            patches = .first(count)
        }
    }

    public var description: String {
        let name =
            switch patches {
            case .none: "stock"
            case .first(let count): "patched@\(count)"
            case .all: "patched"
            }
        return configuration == .plain ? name : "\(name)+\(configuration.rawValue)"
    }

    /// The options of `bpflink-vm kernel` that say the same.
    var options: String {
        let option =
            switch patches {
            case .none: "--stock"
            case .first(let count): "--patches \(count)"
            case .all: "--patched"
            }
        return configuration == .plain ? option : "\(option) --config \(configuration.rawValue)"
    }

    /// The directory that it is built in, from one build to the next. Parts of the series share one of their own:
    /// going through them must not undo what is built of the whole. Kernels for the selftests are large and compared
    /// with each other, so they follow each other in one directory.
    var lane: String {
        if configuration.isForSelftests { return configuration.fragments.joined(separator: "-") }
        let name =
            switch patches {
            case .none: "stock"
            case .first: "part"
            case .all: "patched"
            }
        return configuration == .plain ? name : "\(name)-\(configuration.rawValue)"
    }
}
