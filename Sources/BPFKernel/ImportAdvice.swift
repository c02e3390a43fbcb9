// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFObject
import CLibbpf

/// Why the kernel may refuse to let programs import a function, as far as an object tells before it is loaded.
///
/// Advice, not a verdict: the kernel sees the code that is left after CO-RE, the maps as they are made, and the importer. Its
/// rules are in `kernel/bpf/prog_call.c` of the series and `Documentation/bpf/prog_calls.rst`, "What is refused"; the tables at
/// the end of this file follow them.
public struct ImportAdvice: Sendable {
    /// A function and what stands in the way; the words complete "it …", or "`callee` …" for what a function calls.
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
    private let maps: [String: MapDeclaration]
    private let callees: [[Int]]
    private let exports: [SymbolIndex: Export]

    /// - Parameter facts: by index of the object's functions.
    public init(_ object: Object, facts: [FunctionFacts]) {
        self.object = object
        self.facts = facts
        maps = Dictionary(object.maps().map { ($0.name, $0) }, uniquingKeysWith: { a, _ in a })
        var callees = Array(repeating: [Int](), count: object.functions.count)
        for edge in object.calls where !edge.isAddress { callees[edge.caller].append(edge.callee) }
        self.callees = callees
        exports = Dictionary(object.exports.map { ($0.function.symbol, $0) }, uniquingKeysWith: { a, _ in a })
    }

    /// What may stand in the way of importing an export.
    ///
    /// - Parameter index: an index of ``BPFObject/Object/functions``.
    /// - Returns: the reasons, those of the function itself first; none for what is no export.
    public func reasons(against index: Int) -> [Reason] {
        guard let export = exports[object.functions[index].symbol] else { return [] }
        var reasons: [Reason] = []
        if let words = Self.words(for: export.prototype.obstacle) {
            reasons.append(Reason(function: export.name, words: words))
        }
        let reached = object.reachableFunctions(from: index)
        for callee in [index] + reached.filter({ $0 != index }) {
            let name = object.functions[callee].name
            reasons += words(for: facts[callee]).map { Reason(function: name, words: $0) }
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

    private func words(for facts: FunctionFacts) -> [String] {
        var words: [String] = []
        for map in facts.maps.compactMap({ maps[$0] }) {
            if let type = map.type, !Self.portableMaps.contains(type) {
                words.append("uses the map `\(map.name)` of type \(MapType.name(type)), whose use depends on the program")
            } else if map.hasManagedFields {
                words.append("uses the map `\(map.name)`, whose values have fields that the kernel manages")
            }
        }
        words += facts.helpers.filter { !Self.portableHelpers.contains($0) }.map { helper in
            helper == Int32(BPF_FUNC_tail_call.rawValue)
                ? "tail-calls" : "calls the helper \(Helper.name(helper)), whose use depends on the program"
        }
        words += facts.kernelFunctions.map { "calls the kernel function `\($0)`" }
        words += facts.kernelVariables.map { "uses the kernel variable `\($0)`" }
        words += facts.callbacks.map { "passes the callback `\($0)`" }
        if facts.loadsPacketData { words.append("loads packet data by BPF_LD_[ABS|IND]") }
        if facts.jumpsIndirectly { words.append("jumps to an address in a register") }
        return words
    }

    private static func words(for obstacle: ContractObstacle?) -> String? {
        switch obstacle {
        case .context(let parameter, let type): "takes a context as argument \(parameter): `\(type)`"
        case .parameter(let parameter, let type):
            "takes neither a scalar nor a pointer to memory of fixed size as argument \(parameter): `\(type)`"
        case .callsKernelFunction, .passesCallback, .tailCalls, .loadsPacketData, nil: nil
        }
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

    /// `map_is_portable()`
    private static let portableMaps: Set<UInt32> = Set(
        [
            BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_PERCPU_HASH,
            BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH, BPF_MAP_TYPE_RINGBUF,
        ].map(\.rawValue))

    /// `helper_is_portable()`
    private static let portableHelpers: Set<Int32> = Set(
        [
            BPF_FUNC_map_lookup_elem, BPF_FUNC_map_lookup_percpu_elem, BPF_FUNC_map_update_elem, BPF_FUNC_map_delete_elem,
            BPF_FUNC_ringbuf_output, BPF_FUNC_ringbuf_reserve, BPF_FUNC_ringbuf_submit, BPF_FUNC_ringbuf_discard,
            BPF_FUNC_ringbuf_query, BPF_FUNC_ktime_get_ns, BPF_FUNC_ktime_get_boot_ns, BPF_FUNC_ktime_get_coarse_ns,
            BPF_FUNC_ktime_get_tai_ns, BPF_FUNC_jiffies64, BPF_FUNC_get_prandom_u32, BPF_FUNC_get_smp_processor_id,
            BPF_FUNC_get_numa_node_id, BPF_FUNC_get_current_pid_tgid, BPF_FUNC_get_current_uid_gid,
            BPF_FUNC_get_current_comm, BPF_FUNC_get_current_cgroup_id, BPF_FUNC_strncmp, BPF_FUNC_strtol, BPF_FUNC_strtoul,
            BPF_FUNC_snprintf, BPF_FUNC_trace_printk, BPF_FUNC_trace_vprintk, BPF_FUNC_probe_read_kernel,
            BPF_FUNC_probe_read_kernel_str, BPF_FUNC_probe_read_user, BPF_FUNC_probe_read_user_str,
        ].map { Int32(bitPattern: $0.rawValue) })
}
