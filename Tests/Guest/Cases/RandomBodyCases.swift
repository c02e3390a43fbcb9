// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFKernel
import CLibbpf
import TestFixtures

/// Small functions and callers made at random: a function that is verified with its importer is accepted or refused as it is in a
/// program that has it as a function of its own, in the same words, and does the same.
let randomBodyCases: [Case] = (0..<RandomPair.batches).map { batch in
    Case("bodies.random_functions_\(batch)", patience: 3) {
        let map = try makeMap(valueSize: RandomPair.size)
        var accepted = 0
        for number in 0..<RandomPair.perBatch {
            let seed = UInt64(batch * RandomPair.perBatch + number)
            do {
                accepted += try RandomPair(seed: seed, map: map).compare() ? 1 : 0
            } catch { throw Failure("seed \(seed): \(words(of: error))") }
        }
        // A generator that makes nothing but nonsense, or nothing wrong, would show little.
        let share = Double(accepted) / Double(RandomPair.perBatch)
        try expect((0.1...0.9).contains(share), "\(accepted) of \(RandomPair.perBatch) were accepted")
        print("\(accepted) of \(RandomPair.perBatch) accepted")
    }
}

/// A caller and a function, as one program and as importer and provider.
private struct RandomPair {
    static let batches = 4
    static let perBatch = 500
    /// Bytes of the map's value: few enough that no field of a context lies behind them which is other each time.
    static let size: UInt32 = 40

    private var random: SplitMix
    private let map: OwnedDescriptor
    private let kind: ProgramKind
    /// The functions by name: the first is called from outside, and calls others.
    private var functions: [(name: String, body: [bpf_insn])] = []
    private var caller: [bpf_insn] = []
    /// Where the caller calls the first function.
    private var calls: [Int] = []
    private let arguments = 4

    init(seed: UInt64, map: OwnedDescriptor) {
        random = SplitMix(seed: seed)
        self.map = map
        kind = [ProgramKind.socketFilter, .xdp, .schedCls].randomElement(using: &random)!
        let helpers = Int.random(in: 0...2, using: &random)
        functions = [("f", [])] + (0..<helpers).map { ("g\($0)", []) }
        for index in functions.indices { functions[index].body = body(of: index) }
        caller = makeCaller()
    }

    // MARK: Functions

    private mutating func pick<Element>(_ choices: [Element]) -> Element { choices.randomElement(using: &random)! }

    /// A function of up to four arguments, of which it knows nothing. Addresses, which are others each time, are never results.
    private mutating func body(of index: Int) -> [bpf_insn] {
        var code: [bpf_insn] = []
        // r6 to r9 keep the arguments over calls.
        for register: UInt8 in 1...4 { code.append(.copy(register + 5, register)) }
        code.append(.set(0, Int32.random(in: 0...3, using: &random)))
        // Who may do a lot may read the stack as it was left.
        for slot: Int16 in [-8, -16] { code.append(.store(10, slot, value: 0)) }
        for _ in 0..<Int.random(in: 1...8, using: &random) {
            let step = step(of: index)
            // Some are done for one value of the first argument only.
            if pick([true, false]), step.count < 8 {
                code.append(.jump(if: 6, equals: Int32.random(in: 0...2, using: &random), 1))
                code.append(.jump(Int16(step.count)))
            }
            code += step
        }
        return code + [.exit]
    }

    private mutating func step(of index: Int) -> [bpf_insn] {
        let register = UInt8.random(in: 6...9, using: &random)
        let offset = Int16(8 * pick([0, 0, 1, 2, 4, 5]))
        switch Int.random(in: 0...11, using: &random) {
        case 0: return [.load(0, register, offset)]
        case 1: return [.store(register, offset, register: pick([0, 6]))]
        case 2: return [.store(10, -8, register: pick([0, 6])), .load(0, 10, pick([-8, -8, -16]))]
        case 3: return [.sum(0, pick([0, 6]))]
        case 4: return [.add(0, Int32.random(in: -9...9, using: &random))]
        case 5: return [.and(register, pick([0, 7, 15, 24]))]
        case 6: return [.jump(if: register, equals: 0, 1), .load(0, register, offset)]
        case 7:
            let other = UInt8.random(in: 6...9, using: &random)
            return [.sum(register, other), .load(0, register, 0)]
        case 8:
            return [.set(1, 0), .store(10, -24, register: 1), .copy(2, 10), .add(2, -24)]
                + bpf_insn.map(1, slot: 0)
                + [.helper(BPF_FUNC_map_lookup_elem)]
                + (pick([true, true, false]) ? [.jump(if: 0, equals: 0, 1)] : [])
                + [.load(0, 0, pick([0, 8, 32, 40]))]
        case 9: return bpf_insn.mapValue(1, slot: 0) + [.set(2, 1), .atomicAdd(1, pick([0, 8, 32]), register: 2), .load(0, 1, 8)]
        case 10 where index + 1 < functions.count:
            // Placed when it is known where the functions are.
            return [.copy(1, 6), .copy(2, pick([7, 8])), .copy(3, 8), .copy(4, 9), Self.innerCall(index + 1)]
        default: return [.helper(pick([BPF_FUNC_ktime_get_ns, BPF_FUNC_get_smp_processor_id])), .and(0, 0)]
        }
    }

    /// A call whose target is the number of a function still.
    private static func innerCall(_ function: Int) -> bpf_insn { .call(Int32(function)) }

    // MARK: The caller

    /// Calls the function once or twice with memory, contexts, numbers and nothing at all.
    private mutating func makeCaller() -> [bpf_insn] {
        var code: [bpf_insn] = [.copy(6, 1), .set(7, 0)]
        for _ in 0..<Int.random(in: 1...2, using: &random) {
            code += [.set(1, 5), .store(10, -8, register: 1), .store(10, -16, register: 1)]
            for register: UInt8 in 2...4 { code += argument(register) }
            code.append(.set(1, Int32.random(in: 0...2, using: &random)))
            calls.append(code.count)
            code += [.call(0), .sum(7, 0)]
        }
        return code + [.copy(0, 7)] + kind.ending
    }

    private mutating func argument(_ register: UInt8) -> [bpf_insn] {
        switch Int.random(in: 0...6, using: &random) {
        case 0, 1: [.copy(register, 10), .add(register, pick([-8, -16]))]
        case 2, 3: bpf_insn.mapValue(register, slot: 0)
        case 4: [.copy(register, 6)]
        case 5: [.set(register, 0)]
        default: [.set(register, Int32.random(in: 1...64, using: &random))]
        }
    }

    // MARK: Programs

    /// Where the functions begin, if the first begins at `start`.
    private func starts(from start: Int) -> [Int] {
        functions.reduce(into: [start]) { $0.append($0.last! + $1.body.count) }
    }

    /// The functions' instructions with the distances of their calls.
    private func placed(from start: Int) -> [[bpf_insn]] {
        let starts = starts(from: start)
        return functions.indices.map { index in
            functions[index].body.enumerated().map { offset, instruction in
                guard instruction.code == UInt8(BPF_JMP | BPF_CALL), instruction.src_reg == UInt8(BPF_PSEUDO_CALL) else { return instruction }
                return .call(Int32(starts[Int(instruction.imm)] - starts[index] - offset - 1))
            }
        }
    }

    private func add(_ bodies: [[bpf_insn]], to program: inout RawProgram) throws {
        let long = try require(program.types, "types").long
        for (index, body) in bodies.enumerated() {
            try program.add(
                functions[index].name, taking: Array(repeating: long, count: arguments), returns: long, linkage: BTF_FUNC_STATIC, body)
        }
    }

    /// The functions that a chain of calls reaches, as the kernel appends no others.
    private func reached() -> Set<Int> {
        var reached: Set<Int> = [0], pending = [0]
        while let index = pending.popLast() {
            for call in functions[index].body where call.code == UInt8(BPF_JMP | BPF_CALL) && call.src_reg == UInt8(BPF_PSEUDO_CALL) {
                if reached.insert(Int(call.imm)).inserted { pending.append(Int(call.imm)) }
            }
        }
        return reached
    }

    private func importing(_ importer: inout RawProgram) throws {
        importer.instructions = caller
        importer.attachType = kind.attachType
    }

    private func onePiece() throws -> RawProgram {
        var program = try RawProgram.typed(type: kind.type)
        try importing(&program)
        program.slots = [map]
        let start = caller.count
        for call in calls { program.instructions[call] = .call(Int32(start - call - 1)) }
        try add(placed(from: start), to: &program)
        return program
    }

    private func twoPieces() throws -> (provider: RawProgram, importer: RawProgram) {
        var provider = try RawProgram.keeper()
        provider.slots = [map]
        try add(placed(from: provider.instructions.count), to: &provider)
        var importer = try RawProgram.typed(type: kind.type)
        try importing(&importer)
        let long = try require(importer.types, "types").long
        let function = try importer.extern("f", Array(repeating: long, count: arguments), returns: long)
        for call in calls { importer.instructions[call] = .call(body: function, slot: 1) }
        return (provider, importer)
    }

    /// What became of a program: its result and what is in the map after it, or why it was refused.
    private enum Outcome: Equatable {
        case ran(UInt32, [Int])
        case refused(CInt, String)
    }

    private func outcome(of program: RawProgram) throws -> Outcome {
        let id = try mapID(map)
        try clear()
        do {
            let loaded = try program.load()
            let result = try loaded.run()
            return .ran(result, try (0..<Int(Self.size) / 8).map { try element(ofMap: id, offset: 8 * $0) })
        } catch let refusal as RawProgram.Refusal {
            return .refused(refusal.error, Self.reason(refusal.log))
        }
    }

    private func clear() throws {
        var key: Int32 = 0
        let zeros = [UInt8](repeating: 0, count: Int(Self.size))
        try expect(bpf_map_update_elem(map.number, &key, zeros, 0) == 0, "the map cannot be cleared")
    }

    /// What the verifier objects to: what it says last before it counts, without the numbers of instructions and functions.
    private static func reason(_ log: String) -> String {
        let lines = log.split(separator: "\n").map(String.init)
        let end = lines.firstIndex { $0.hasPrefix("processed ") || $0.hasPrefix("Verification failed") } ?? lines.endIndex
        return lines[..<end].last ?? ""
    }

    /// - Returns: whether the programs were accepted.
    /// - Throws: ``Failure`` if one was and the other was not, or if anything else is different.
    func compare() throws -> Bool {
        // Functions that nothing calls would be refused in one piece as code that cannot be reached.
        guard reached().count == functions.count else { return try reduced().compare() }
        let one = try outcome(of: try onePiece())
        var pieces = try twoPieces()
        let provider = try Provider(try pieces.provider.load())
        pieces.importer.slots = [map, provider]
        let two = try outcome(of: pieces.importer)
        let listing = try onePiece().instructions.enumerated().map {
            "\($0): \(String($1.code, radix: 16)) r\($1.dst_reg) r\($1.src_reg) \($1.off) \($1.imm)"
        }
        try expectEqual(
            two, one, "what became of importer and provider, beside one \(kind.name) program of\n\(listing.joined(separator: "\n"))\n")
        if case .ran = one { return true }
        return false
    }

    /// The same without functions that nothing calls.
    private func reduced() -> RandomPair {
        var pair = self
        let kept = reached().sorted()
        pair.functions = kept.map { index in
            var function = functions[index]
            for offset in function.body.indices
            where function.body[offset].code == UInt8(BPF_JMP | BPF_CALL) && function.body[offset].src_reg == UInt8(BPF_PSEUDO_CALL) {
                function.body[offset] = Self.innerCall(kept.firstIndex(of: Int(function.body[offset].imm))!)
            }
            return function
        }
        return pair
    }
}
