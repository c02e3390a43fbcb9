// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf

/// Where loaded programs are to be attached.
public enum AttachTarget: Hashable, Sendable, CustomStringConvertible {
    /// Wherever each program's section name says.
    case section
    /// Programs of a cgroup type, and of `lsm_cgroup` sections: to the cgroup at a path.
    case cgroup(String)
    /// XDP programs: to a network interface.
    case xdp(String)
    /// Programs of traffic control: to what a network interface receives.
    case ingress(String)
    /// Programs of traffic control: to what a network interface sends.
    case egress(String)
    /// `sk_lookup` and `flow_dissector` programs: to the network namespace at a path.
    case netns(String)
    /// `perf_event` programs: to a software event on every CPU.
    case perfEvent(PerfEvent)
    /// `freplace` programs: in place of the function that the section names, of a loaded program.
    case replace(ProgramSelector)

    /// An event that needs no counter of the hardware, so many times per second.
    public struct PerfEvent: Hashable, Sendable, CustomStringConvertible {
        let name: String
        let frequency: UInt64

        /// `enum perf_sw_ids` of include/uapi/linux/perf_event.h, in perf(1)'s words.
        private static let events: KeyValuePairs<String, perf_sw_ids> = [
            "cpu-clock": PERF_COUNT_SW_CPU_CLOCK, "task-clock": PERF_COUNT_SW_TASK_CLOCK,
            "page-faults": PERF_COUNT_SW_PAGE_FAULTS, "context-switches": PERF_COUNT_SW_CONTEXT_SWITCHES,
            "cpu-migrations": PERF_COUNT_SW_CPU_MIGRATIONS,
        ]

        /// The events that there are.
        public static var names: [String] { events.map(\.key) }

        /// Reads `cpu-clock`, or `cpu-clock@999`; without a frequency it is 99 times per second.
        init?(_ text: String) {
            let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard Self.events.contains(where: { $0.key == parts[0] }) else { return nil }
            name = parts[0]
            guard let frequency = parts.count > 1 ? UInt64(parts[1]) : 99, frequency > 0 else { return nil }
            self.frequency = frequency
        }

        var event: UInt64 { UInt64(Self.events.first { $0.key == name }?.value.rawValue ?? 0) }
        public var description: String { "\(name)@\(frequency)" }
    }

    /// Reads what ``description`` writes.
    ///
    /// - Returns: nil if the text is no target.
    public init?(_ text: String) {
        if text == "section" {
            self = .section
            return
        }
        guard let separator = text.firstIndex(of: "=") else { return nil }
        let value = String(text[text.index(after: separator)...])
        guard !value.isEmpty else { return nil }
        switch text[..<separator] {
        case "cgroup": self = .cgroup(value)
        case "xdp": self = .xdp(value)
        case "ingress": self = .ingress(value)
        case "egress": self = .egress(value)
        case "netns": self = .netns(value)
        case "perf_event":
            guard let event = PerfEvent(value) else { return nil }
            self = .perfEvent(event)
        case "replace":
            guard let program = ProgramSelector(value) else { return nil }
            self = .replace(program)
        default: return nil
        }
    }

    /// The words before `=`, each with what follows it.
    public static let kinds: KeyValuePairs<String, String> = [
        "cgroup": "PATH", "xdp": "INTERFACE", "ingress": "INTERFACE", "egress": "INTERFACE", "netns": "PATH",
        "perf_event": "EVENT[@HZ]", "replace": "REF",
    ]

    public var description: String {
        switch self {
        case .section: "section"
        case .cgroup(let path): "cgroup=\(path)"
        case .xdp(let interface): "xdp=\(interface)"
        case .ingress(let interface): "ingress=\(interface)"
        case .egress(let interface): "egress=\(interface)"
        case .netns(let path): "netns=\(path)"
        case .perfEvent(let event): "perf_event=\(event)"
        case .replace(let program): "replace=\(program)"
        }
    }

    /// Whether programs of the type in the section can be attached to such a target.
    func takes(_ type: ProgramType, section: String) -> Bool {
        let rules = SectionRules(section)
        return switch self {
        case .section: rules.saysWhereToAttach || type.rawValue == BPF_PROG_TYPE_STRUCT_OPS.rawValue
        case .cgroup: AttachTarget.cgroupTypes.contains(type.rawValue) || rules.kind == "lsm_cgroup"
        case .xdp: type.rawValue == BPF_PROG_TYPE_XDP.rawValue
        case .ingress, .egress: type.rawValue == BPF_PROG_TYPE_SCHED_CLS.rawValue
        case .netns: [BPF_PROG_TYPE_SK_LOOKUP, BPF_PROG_TYPE_FLOW_DISSECTOR].contains { $0.rawValue == type.rawValue }
        case .perfEvent: type.rawValue == BPF_PROG_TYPE_PERF_EVENT.rawValue
        case .replace: type == .replacement
        }
    }

    /// Whether attaching takes CAP_NET_ADMIN.
    var isOfNetwork: Bool {
        switch self {
        case .section, .perfEvent, .replace: false
        case .cgroup, .xdp, .ingress, .egress, .netns: true
        }
    }

    /// Types of programs that are attached to control groups.
    static let cgroupTypes: Set<UInt32> = Set(
        [
            BPF_PROG_TYPE_CGROUP_SKB, BPF_PROG_TYPE_CGROUP_SOCK, BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_PROG_TYPE_CGROUP_SOCKOPT,
            BPF_PROG_TYPE_CGROUP_SYSCTL, BPF_PROG_TYPE_CGROUP_DEVICE, BPF_PROG_TYPE_SOCK_OPS,
        ].map(\.rawValue))

    /// What the targets are, for those who gave none that fits.
    public static let help =
        "targets: `--attach` for what section names say; `--attach=` with cgroup=PATH, xdp=INTERFACE, ingress=INTERFACE, "
        + "egress=INTERFACE, netns=PATH, perf_event=cpu-clock@99, replace=REF"
}
