// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Why no other program can import a function, as far as the object tells.
///
/// All else is for the kernel to say: it verifies an export again for each kind of program that imports it
/// (`Documentation/bpf/prog_calls.rst` of the patched kernel, "Environments"). What is here is refused to every importer ("What is
/// refused" there; `insn_obstacle()` and `map_obstacle()` in `kernel/bpf/prog_call.c`), or no global function can have it.
public enum ContractObstacle: Hashable, Sendable {
    /// A parameter, counted from 1, is neither a scalar nor a pointer to memory of fixed size, and no tag says what it is.
    case parameter(Int, type: String)
    case tailCalls
    case programArray(map: String)
    /// A map that is a cgroup's storage, or the helper that finds it.
    case cgroupStorage
    case instructionArray(map: String)
    /// `bpf_throw()`
    case throwsException
    /// `BPF_LD_ABS` or `BPF_LD_IND`.
    case loadsPacketData
    /// A jump to an address in a register.
    case jumpsIndirectly

    /// What a map of a type stands for; the numbers are those of `enum bpf_map_type`.
    init?(map: MapDeclaration) {
        switch map.type {
        case 3: self = .programArray(map: map.name)
        case 19, 21: self = .cgroupStorage
        case 34: self = .instructionArray(map: map.name)
        default: return nil
        }
    }
}

extension ContractObstacle: CustomStringConvertible {
    /// What the function does, in the kernel's words where it has some: `makes tail calls`.
    public var description: String {
        switch self {
        case .parameter(let parameter, let type):
            "takes neither a scalar nor a pointer to memory of fixed size as argument \(parameter): `\(type)`"
        case .tailCalls: "makes tail calls"
        case .programArray(let map): "uses the program array `\(map)`, which belongs to one program"
        case .cgroupStorage: "uses the cgroup storage of the program that runs"
        case .instructionArray(let map): "uses the instruction array `\(map)`, which belongs to one program"
        case .throwsException: "may throw an exception, which its caller does not expect"
        case .loadsPacketData: "loads packet data by BPF_LD_[ABS|IND]"
        case .jumpsIndirectly: "uses an indirect jump"
        }
    }
}

extension Prototype {
    /// The first parameter that no global function can have (`btf_prepare_func_args()` in `kernel/bpf/btf.c`).
    public var obstacle: ContractObstacle? {
        let tags = ArgumentTags(of: self)
        for (index, parameter) in parameters.enumerated()
        where !isContext(parameter: index, tags) && !isExpressible(parameter.type, tags.values(ofParameter: index)) {
            return .parameter(index + 1, type: CDeclaration.text(of: parameter.type, in: btf))
        }
        return nil
    }

    /// Whether a parameter, counted from 0, is the context of a program, by its tag or its type.
    func isContext(parameter index: Int, _ tags: ArgumentTags) -> Bool {
        tags.values(ofParameter: index).contains { $0 == "arg:ctx" || $0.hasPrefix("arg:ctx:") }
            || isContext(parameters[index].type)
    }

    /// The contexts that the function takes, each with the type of programs that its tag names, if it has such a tag.
    public var contexts: [(parameter: Int, type: String, programs: String?)] {
        let tags = ArgumentTags(of: self)
        return parameters.indices.filter { isContext(parameter: $0, tags) }.map { index in
            let named = tags.values(ofParameter: index).first { $0.hasPrefix("arg:ctx:") }?.dropFirst("arg:ctx:".count)
            return (index + 1, CDeclaration.text(of: parameters[index].type, in: btf), named.map(String.init))
        }
    }

    /// The tags that say no more than whether a pointer may be NULL.
    private static let plainTags: Set<String> = ["arg:nonnull", "arg:nullable"]

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

    private func isExpressible(_ id: TypeID, _ tags: [String]) -> Bool {
        // What the kernel makes of other tags is its own affair: they say that a pointer is to an object of the kernel, an arena, …
        if !tags.allSatisfy(Self.plainTags.contains) { return true }
        guard case .pointer(let target)? = btf[bare(id)]?.content else { return isScalar(id) }
        return btf[bare(target)]?.name == "bpf_dynptr" || hasSize(target)
    }

    private func isScalar(_ id: TypeID) -> Bool {
        switch btf[bare(id)]?.content {
        case .integer, .enumeration: true
        default: false
        }
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
    /// What each function does itself, without its callees, that no program can do for another.
    ///
    /// Code that is dead once CO-RE and read-only data are known counts: the kernel may be content with more.
    ///
    /// - Returns: by index of ``functions``; functions without such are not in it.
    public func obstacles() -> [Int: ContractObstacle] {
        let maps = Dictionary(
            maps().compactMap { map in ContractObstacle(map: map).map { (map.name, $0) } }, uniquingKeysWith: { a, _ in a })
        var named: [SectionIndex: [InstructionIndex: ContractObstacle]] = [:]
        for relocation in relocations {
            let symbol = symbols[relocation.symbol.value]
            let obstacle = symbol.isUndefined ? symbol.name == Self.throwFunction ? .throwsException : nil : maps[symbol.name]
            if let obstacle { named[relocation.section, default: [:]][relocation.instruction] = obstacle }
        }
        var obstacles: [Int: ContractObstacle] = [:]
        for (index, function) in functions.enumerated() {
            obstacles[index] = obstacle(in: function, named: named[function.section] ?? [:])
        }
        return obstacles
    }

    private func obstacle(in function: Function, named: [InstructionIndex: ContractObstacle]) -> ContractObstacle? {
        var first: ContractObstacle?
        var index = function.instructions.lowerBound
        while index < function.instructions.upperBound {
            guard let instruction = instruction(index, of: function.section) else { break }
            // What is done tells more than the map that is needed for it.
            if let obstacle = Self.obstacle(in: instruction) { return obstacle }
            first = first ?? named[index]
            index = index + (instruction.isWideLoad ? 2 : 1)
        }
        return first
    }

    private static func obstacle(in instruction: Instruction) -> ContractObstacle? {
        if instruction.isCall, instruction.source == 0 {
            switch instruction.immediate {
            case tailCallHelper: return .tailCalls
            case cgroupStorageHelper: return .cgroupStorage
            default: return nil
            }
        }
        // BPF_LD with BPF_ABS (0x20) or BPF_IND (0x40); BPF_JMP | BPF_JA | BPF_X
        if instruction.opcode & 7 == 0, [0x20, 0x40].contains(instruction.opcode & 0xe0) { return .loadsPacketData }
        return instruction.opcode == 0x0d ? .jumpsIndirectly : nil
    }

    /// `BPF_FUNC_tail_call`
    private static let tailCallHelper: Int32 = 12
    /// `BPF_FUNC_get_local_storage`
    private static let cgroupStorageHelper: Int32 = 81
    private static let throwFunction = "bpf_throw"
}
