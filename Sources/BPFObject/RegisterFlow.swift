// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// Follows two kinds of pointers through the registers and the stack of one function: the context, and addresses on the stack.
///
/// Along every path, but without values: what *may* be the context is taken for it, and an address on the stack is known while
/// all paths agree on it. The verifier knows more, for it sees which paths are taken.
struct RegisterFlow {
    /// What a call takes: the number of arguments, if it is known.
    typealias Arguments = (_ call: Instruction, _ at: InstructionIndex) -> Int?

    private(set) var context: ContextUse = []
    /// The lowest offset from the frame pointer that is used.
    private(set) var lowestStackOffset = 0

    private let code: [Instruction]
    private let start: InstructionIndex
    private let arguments: Arguments

    /// - Parameters:
    ///   - code: the function's instruction slots.
    ///   - start: the first one's number.
    ///   - contexts: the registers in which the function gets its contexts.
    init(_ code: [Instruction], start: InstructionIndex, contexts: [Int], arguments: @escaping Arguments) {
        self.code = code
        self.start = start
        self.arguments = arguments
        var entry = State()
        for register in contexts { entry.contexts |= 1 << UInt16(register) }
        entry.stack[10] = 0
        run(from: entry)
    }

    /// What registers and stack may hold before an instruction.
    private struct State: Equatable {
        /// Registers that may hold the context, by bit.
        var contexts: UInt16 = 0
        /// Eight-byte slots of the stack that may hold it, by bit, downwards from the frame pointer.
        var slots: UInt64 = 0
        /// Offsets from the frame pointer, by register.
        var stack: [Int32?] = Array(repeating: nil, count: 11)

        func isContext(_ register: UInt8) -> Bool { contexts & (1 << UInt16(register)) != 0 }

        mutating func setContext(_ register: UInt8, _ value: Bool) {
            let bit: UInt16 = 1 << UInt16(register)
            contexts = value ? contexts | bit : contexts & ~bit
        }

        /// A register gets what nothing is known of.
        mutating func clear(_ register: UInt8) {
            setContext(register, false)
            if register < 10 { stack[Int(register)] = nil }
        }

        mutating func join(_ other: State) {
            contexts |= other.contexts
            slots |= other.slots
            for register in stack.indices where stack[register] != other.stack[register] { stack[register] = nil }
        }
    }

    // MARK: Paths

    private mutating func run(from entry: State) {
        guard !code.isEmpty else { return }
        var before: [Int: State] = [0: entry]
        var waiting = [0]
        let leaders = leaders()
        // A state only grows: each of its bits and offsets changes once.
        while let leader = waiting.popLast(), var state = before[leader] {
            var index = leader
            var isOpen = true
            while isOpen {
                let next = index + (code[index].isWideLoad ? 2 : 1)
                isOpen = step(code[index], at: index, &state)
                for target in targets(of: code[index], at: index) + (isOpen && leaders.contains(next) ? [next] : [])
                where code.indices.contains(target) {
                    var joined = before[target] ?? state
                    joined.join(state)
                    if before.updateValue(joined, forKey: target) != joined { waiting.append(target) }
                }
                index = next
                if leaders.contains(index) || index >= code.count { break }
            }
        }
    }

    /// Where the paths meet.
    private func leaders() -> Set<Int> {
        Set(code.indices.flatMap { targets(of: code[$0], at: $0) })
    }

    private func targets(of instruction: Instruction, at index: Int) -> [Int] {
        guard instruction.isJump else { return [] }
        // `gotol` (BPF_JMP32 | BPF_JA) has its distance in the immediate.
        return [index + 1 + Int(instruction.opcode == 0x06 ? instruction.immediate : Int32(instruction.offset))]
    }

    // MARK: Instructions

    /// Applies an instruction.
    ///
    /// - Returns: whether the next one follows.
    private mutating func step(_ instruction: Instruction, at index: Int, _ state: inout State) -> Bool {
        let destination = min(instruction.destination, 10)
        let source = min(instruction.source, 10)
        switch instruction.opcode & 7 {
        case 0: load(instruction, &state)
        case 1:
            use(source, instruction.offset, .reads, state)
            let slot = slot(source, instruction.offset, state)
            let isContext = instruction.opcode == 0x79 && slot.map { state.slots & (1 << $0) != 0 } ?? false
            state.clear(destination)
            state.setContext(destination, isContext)
        case 2, 3: store(instruction, destination, source, &state)
        case 4, 7: compute(instruction, destination, source, &state)
        default:
            if instruction.isCall {
                call(instruction, at: index, &state)
            } else {
                // exit, ja, gotol, gotox
                return ![0x95, 0x05, 0x06, 0x0d].contains(instruction.opcode)
            }
        }
        return true
    }

    private mutating func load(_ instruction: Instruction, _ state: inout State) {
        if instruction.isWideLoad { return state.clear(min(instruction.destination, 10)) }
        // BPF_LD_[ABS|IND] reads the packet of the context in r6, and is a call otherwise.
        context.insert(.reads)
        for register in 0...5 { state.clear(UInt8(register)) }
    }

    private mutating func store(
        _ instruction: Instruction, _ destination: UInt8, _ source: UInt8, _ state: inout State
    ) {
        use(destination, instruction.offset, .writes, state)
        let isRegister = instruction.opcode & 7 == 3
        if isRegister, instruction.opcode & 0xe0 == 0xc0 {
            // An atomic operation may leave the old value in a register.
            return state.clear(source)
        }
        if let slot = slot(destination, instruction.offset, state) {
            let isContext = instruction.opcode == 0x7b && state.isContext(source)
            state.slots = isContext ? state.slots | 1 << slot : state.slots & ~(1 << slot)
        }
    }

    private mutating func compute(
        _ instruction: Instruction, _ destination: UInt8, _ source: UInt8, _ state: inout State
    ) {
        switch instruction.opcode {
        case 0xbf where instruction.offset == 0 && destination < 10:
            state.setContext(destination, state.isContext(source))
            state.stack[Int(destination)] = state.stack[Int(source)]
        // r += immediate, r -= immediate
        case 0x07, 0x17:
            guard destination < 10, let old = state.stack[Int(destination)] else { break }
            let (sum, overflow) =
                instruction.opcode == 0x07
                ? old.addingReportingOverflow(instruction.immediate) : old.subtractingReportingOverflow(instruction.immediate)
            state.stack[Int(destination)] = overflow ? nil : sum
            if !overflow { touch(Int(sum)) }
        // r += register, r -= register: still the context, some place on the stack.
        case 0x0f, 0x1f: if destination < 10 { state.stack[Int(destination)] = nil }
        default: state.clear(destination)
        }
    }

    private mutating func call(_ instruction: Instruction, at index: Int, _ state: inout State) {
        // Without a number of arguments r1 counts: what is there otherwise is left over from the caller's own arguments.
        let count = arguments(instruction, start + index) ?? 1
        if count > 0, (1...min(count, 5)).contains(where: { state.isContext(UInt8($0)) }) { context.insert(.passes) }
        for register in 0...5 { state.clear(UInt8(register)) }
    }

    // MARK: Memory

    private mutating func use(_ register: UInt8, _ offset: Int16, _ use: ContextUse, _ state: State) {
        if state.isContext(register) { context.insert(use) }
        if let base = state.stack[Int(register)] { touch(Int(base) + Int(offset)) }
    }

    private mutating func touch(_ offset: Int) {
        // What is further away is no address on any stack.
        if offset < lowestStackOffset, offset >= -0x10000 { lowestStackOffset = offset }
    }

    /// The slot of the stack at an address.
    private func slot(_ register: UInt8, _ offset: Int16, _ state: State) -> UInt64? {
        guard let base = state.stack[Int(register)] else { return nil }
        let position = Int(base) + Int(offset)
        return (-512 ..< 0).contains(position) ? UInt64((-position - 1) / 8) : nil
    }
}

/// What a function does with the context of the program.
public struct ContextUse: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8
    public init(rawValue: UInt8) { self.rawValue = rawValue }
    public static let reads = ContextUse(rawValue: 1)
    public static let writes = ContextUse(rawValue: 2)
    /// Passes it to a function or a helper.
    public static let passes = ContextUse(rawValue: 4)
}

extension Instruction {
    /// Whether it goes elsewhere within its function: `BPF_JMP` and `BPF_JMP32` without calls, exits and indirect jumps.
    fileprivate var isJump: Bool {
        (opcode & 7 == 5 || opcode & 7 == 6) && ![0x85, 0x95, 0x0d, 0x8d].contains(opcode)
    }
}
