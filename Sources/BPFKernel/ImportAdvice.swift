// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFObject

/// Which programs the kernel will let import a function, as far as an object tells before it is loaded.
///
/// Advice, not a verdict: the kernel verifies an export for each kind of program that imports it, with the code that is left
/// after CO-RE and the maps as they are made (`Documentation/bpf/prog_calls.rst` of the series, "Environments").
public struct ImportAdvice: Sendable {
    /// A function and what it does; the words complete "it …", or "`callee` …" for what a function calls.
    public struct Reason: Hashable, Sendable {
        /// The function that does it: the export, or one that it calls.
        public let function: String
        public let words: String

        public init(function: String, words: String) {
            self.function = function
            self.words = words
        }
    }

    private let object: Object
    private let facts: [FunctionFacts]
    private let obstacles: [Int: ContractObstacle]
    private let callees: [[Int]]
    private let exports: [SymbolIndex: Export]

    /// - Parameters:
    ///   - object: whose functions are looked at.
    ///   - facts: what their code does, by index of the object's functions.
    public init(_ object: Object, facts: [FunctionFacts]) {
        self.object = object
        self.facts = facts
        obstacles = object.obstacles()
        var callees = Array(repeating: [Int](), count: object.functions.count)
        for edge in object.calls where !edge.isAddress { callees[edge.caller].append(edge.callee) }
        self.callees = callees
        exports = Dictionary(object.exports.map { ($0.function.symbol, $0) }, uniquingKeysWith: { a, _ in a })
    }

    /// What stands in the way of every import of an export ("What is refused" there).
    ///
    /// - Parameter index: an index of ``BPFObject/Object/functions``.
    /// - Returns: the reasons, those of the function itself first; none for what is no export.
    public func reasons(against index: Int) -> [Reason] {
        guard let export = exports[object.functions[index].symbol] else { return [] }
        var reasons: [Reason] = []
        // What is verified with the importer may do what that one may.
        if export.function.role == .exported {
            if let obstacle = export.prototype.obstacle { reasons.append(Reason(function: export.name, words: "\(obstacle)")) }
            for callee in reached(from: index) {
                if let obstacle = obstacles[callee] {
                    reasons.append(Reason(function: object.functions[callee].name, words: "\(obstacle)"))
                }
            }
        }
        if let depth = deepest(from: index) {
            if depth.stack > Self.stackLimit {
                let words = "needs \(depth.stack) bytes of stack with what it calls, of at most \(Self.stackLimit)"
                reasons.append(Reason(function: export.name, words: words))
            }
            if depth.frames > Self.frameLimit {
                let words = "is \(depth.frames) calls deep, of at most \(Self.frameLimit)"
                reasons.append(Reason(function: export.name, words: words))
            }
        } else {
            reasons.append(Reason(function: export.name, words: "calls itself, directly or through others"))
        }
        return reasons
    }

    /// What some kinds of programs can do only, so that an import depends on the importer.
    ///
    /// - Returns: as ``reasons(against:)``.
    public func conditions(of index: Int) -> [Reason] {
        guard let export = exports[object.functions[index].symbol] else { return [] }
        let contexts = (export.function.role == .exported ? export.prototype.contexts : []).map { context in
            Reason(function: export.name, words: Self.words(context))
        }
        let uses = reached(from: index).flatMap { callee in
            let used =
                facts[callee].helpers.filter { !Self.commonHelpers.contains(Helper.name($0)) }.map {
                    "calls the helper \(Helper.name($0)), which not all types of programs may"
                } + facts[callee].kernelFunctions.map { "calls the kernel function `\($0)`, which not all types of programs may" }
            return used.map { Reason(function: object.functions[callee].name, words: $0) }
        }
        return contexts + uses
    }

    /// The function itself, then what it calls.
    private func reached(from index: Int) -> [Int] {
        [index] + object.reachableFunctions(from: index).filter { $0 != index }
    }

    private static func words(_ context: (parameter: Int, type: String, programs: String?)) -> String {
        if let type = context.programs {
            return "takes the context of \(type) programs as argument \(context.parameter), other programs pass NULL"
        }
        let name = context.type.split(separator: " ").first { $0 != "const" && $0 != "struct" }.map(String.init) ?? ""
        let types = contextTypes[name].map { " of \($0) programs" } ?? ""
        return "takes a context\(types) as argument \(context.parameter): `\(context.type)`"
    }

    /// Bytes of stack and frames of the deepest chain of calls; nil if there is a cycle.
    private func deepest(from root: Int) -> (stack: Int, frames: Int)? {
        var known: [Int: (stack: Int, frames: Int)] = [:]
        var open: Set<Int> = []
        var waiting = [root]
        while let next = waiting.last {
            if known[next] != nil {
                waiting.removeLast()
                continue
            }
            if open.insert(next).inserted {
                for callee in callees[next] where known[callee] == nil {
                    if open.contains(callee) { return nil }
                    waiting.append(callee)
                }
            } else {
                waiting.removeLast()
                let below = callees[next].compactMap { known[$0] }
                let own = (facts[next].stack + Self.stackUnit - 1) / Self.stackUnit * Self.stackUnit
                known[next] = (own + (below.map(\.stack).max() ?? 0), 1 + (below.map(\.frames).max() ?? 0))
            }
        }
        return known[root]
    }
}

// MARK: The kernel's tables

extension ImportAdvice {
    /// `MAX_BPF_STACK`; the stack of a JITed function is rounded up to 16 bytes.
    private static let stackLimit = 512
    private static let stackUnit = 16
    /// `MAX_CHAIN_FRAMES`
    private static let frameLimit = 32

    /// Who has which context, of the types that may import (`include/linux/bpf_types.h`).
    private static let contextTypes = [
        "__sk_buff": "socket_filter, sched_cls, sched_act, cgroup_skb", "pt_regs": "kprobe", "xdp_md": "xdp",
        "bpf_perf_event_data": "perf_event", "bpf_raw_tracepoint_args": "raw_tracepoint", "bpf_sock": "cgroup_sock",
        "bpf_sock_addr": "cgroup_sock_addr",
    ]

    /// What programs of all types may call, with the capabilities that it takes to import: `bpf_base_func_proto()` in
    /// kernel/bpf/helpers.c, but for what only sleepable programs may.
    private static let commonHelpers = Set(
        """
        map_lookup_elem map_update_elem map_delete_elem map_push_elem map_pop_elem map_peek_elem map_lookup_percpu_elem
        get_prandom_u32 get_smp_processor_id get_numa_node_id tail_call ktime_get_ns ktime_get_boot_ns ktime_get_tai_ns jiffies64
        ringbuf_output ringbuf_reserve ringbuf_submit ringbuf_discard ringbuf_query ringbuf_reserve_dynptr ringbuf_submit_dynptr
        ringbuf_discard_dynptr user_ringbuf_drain dynptr_from_mem dynptr_read dynptr_write dynptr_data strncmp strtol strtoul
        snprintf snprintf_btf trace_printk trace_vprintk get_current_pid_tgid get_ns_current_pid_tgid get_current_uid_gid
        get_current_comm get_current_task get_current_task_btf get_current_cgroup_id get_current_ancestor_cgroup_id
        current_task_under_cgroup get_cgroup_classid task_storage_get task_storage_delete spin_lock spin_unlock per_cpu_ptr
        this_cpu_ptr timer_init timer_set_callback timer_start timer_cancel kptr_xchg for_each_map_elem loop find_vma
        probe_read_user probe_read_kernel probe_read_user_str probe_read_kernel_str task_pt_regs get_task_stack
        get_branch_snapshot perf_event_read perf_event_read_value send_signal send_signal_thread
        """.split(whereSeparator: \.isWhitespace).map(String.init))
}
