// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Why a function cannot be called from programs of other types, as far as the object tells.
///
/// The kernel has the last word: it knows the maps as they are made, its helpers, and the code that is left after CO-RE.
/// `Documentation/bpf/prog_calls.rst` of the patched kernel lists its rules ("What is refused").
public enum ContractObstacle: Hashable, Sendable {
    /// A parameter, counted from 1, is the context of a program.
    case context(parameter: Int, type: String)
    /// A parameter, counted from 1, is neither a scalar nor a pointer to memory of fixed size.
    case parameter(Int, type: String)
    case callsKernelFunction
    case passesCallback
    case tailCalls
    /// `BPF_LD_ABS` or `BPF_LD_IND`.
    case loadsPacketData
}

extension Prototype {
    /// The first parameter that an export's contract cannot express.
    public var obstacle: ContractObstacle? {
        let tags = ArgumentTags(of: self)
        for (index, parameter) in parameters.enumerated() {
            let text = CDeclaration.text(of: parameter.type, in: btf)
            if isContext(parameter: index, tags) { return .context(parameter: index + 1, type: text) }
            if !tags.values(ofParameter: index).allSatisfy(Self.portableTags.contains) || !isPortable(parameter.type) {
                return .parameter(index + 1, type: text)
            }
        }
        return nil
    }

    /// Whether a parameter, counted from 0, is the context of a program, by its tag or its type.
    func isContext(parameter index: Int, _ tags: ArgumentTags) -> Bool {
        tags.values(ofParameter: index).contains { $0 == "arg:ctx" || $0.hasPrefix("arg:ctx:") }
            || isContext(parameters[index].type)
    }

    /// The tags that say no more than whether a pointer may be NULL.
    private static let portableTags: Set<String> = ["arg:nonnull", "arg:nullable"]

    /// The types by which programs see their contexts (`include/linux/bpf_types.h` of the kernel).
    private static let contexts: Set<String> = [
        "__sk_buff", "xdp_md", "bpf_sock", "bpf_sock_addr", "bpf_sock_ops", "sk_msg_md", "bpf_flow_keys", "pt_regs",
        "bpf_perf_event_data", "bpf_raw_tracepoint_args", "bpf_cgroup_dev_ctx", "bpf_sysctl", "bpf_sockopt",
        "sk_reuseport_md", "bpf_sk_lookup", "bpf_nf_ctx",
    ]

    /// Whether programs see their contexts as structs of this name.
    public static func isContext(named name: String) -> Bool { contexts.contains(name) }

    private func isContext(_ id: TypeID) -> Bool {
        guard case .pointer(let target)? = btf[bare(id)]?.content, let type = btf[bare(target)] else { return false }
        return Self.contexts.contains(type.name)
    }

    private func isPortable(_ id: TypeID) -> Bool {
        guard case .pointer(let target)? = btf[bare(id)]?.content else { return hasSize(id) }
        return btf[bare(target)]?.name != "bpf_dynptr" && hasSize(target)
    }

    private func hasSize(_ id: TypeID) -> Bool {
        switch btf[bare(id)]?.content {
        case .integer, .enumeration, .structure, .pointer, .array: true
        default: false
        }
    }

    /// The type behind its names and qualifiers; types that refer to themselves end as `void`.
    private func bare(_ id: TypeID) -> TypeID {
        var id = id
        for _ in 0..<32 {
            switch btf[id]?.content {
            case .typedef(let inner), .const(let inner), .volatile(let inner), .restrict(let inner), .typeTag(let inner):
                id = inner
            default: return id
            }
        }
        return .void
    }
}

extension Object {
    /// What each function does itself, without its callees, that depends on the program it is in.
    ///
    /// - Returns: by index of ``functions``; functions without such are not in it.
    public func obstacles() -> [Int: ContractObstacle] {
        let imported = Set(imports.map(\.symbol))
        var kernelCalls: [SectionIndex: Set<InstructionIndex>] = [:]
        for relocation in relocations
        where symbols[relocation.symbol.value].isUndefined && !imported.contains(relocation.symbol) {
            kernelCalls[relocation.section, default: []].insert(relocation.instruction)
        }
        let passing = Set(calls.lazy.filter(\.isAddress).map(\.caller))
        var obstacles: [Int: ContractObstacle] = [:]
        for (index, function) in functions.enumerated() {
            obstacles[index] =
                obstacle(in: function, kernelCalls: kernelCalls[function.section] ?? [])
                ?? (passing.contains(index) ? .passesCallback : nil)
        }
        return obstacles
    }

    private func obstacle(in function: Function, kernelCalls: Set<InstructionIndex>) -> ContractObstacle? {
        var index = function.instructions.lowerBound
        while index < function.instructions.upperBound {
            guard let instruction = instruction(index, of: function.section) else { return nil }
            if instruction.isCall {
                if instruction.source == 0, instruction.immediate == Self.tailCallHelper { return .tailCalls }
                if kernelCalls.contains(index) { return .callsKernelFunction }
            }
            // BPF_LD with BPF_ABS (0x20) or BPF_IND (0x40).
            if instruction.opcode & 7 == 0, [0x20, 0x40].contains(instruction.opcode & 0xe0) { return .loadsPacketData }
            index = index + (instruction.isWideLoad ? 2 : 1)
        }
        return nil
    }

    /// `BPF_FUNC_tail_call`.
    private static let tailCallHelper: Int32 = 12
}
