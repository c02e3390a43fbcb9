// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// What the instructions of one function tell, without its callees.
public struct FunctionFacts: Hashable, Sendable {
    /// Bytes of stack: how far below the frame pointer an address is used. The kernel rounds it up.
    public var stack = 0
    /// The numbers of the helpers that it calls (`enum bpf_func_id`), ascending.
    public var helpers: [Int32] = []
    /// Functions of the kernel (kfuncs) that it calls, in the order of their first use; so are all that follow.
    public var kernelFunctions: [String] = []
    /// Variables of the kernel, or of its configuration, that it uses.
    public var kernelVariables: [String] = []
    /// Maps that it names.
    public var maps: [String] = []
    /// Sections of global data that it uses: `.bss`, `.rodata`, …
    public var data: [String] = []
    /// Functions of the object that it calls.
    public var callees: [String] = []
    /// Functions of the object whose address it takes.
    public var callbacks: [String] = []
    /// Functions of other programs that it calls.
    public var imports: [String] = []
    /// What it does with its context.
    public var context: ContextUse = []
}

/// Reads facts about functions; made once per object.
public struct FunctionInspector {
    private let object: Object
    private var relocations: [Place: Relocation] = [:]
    private let calls: [Int: [CallEdge]]
    private let callees: [Place: Int]
    private let imports: [SymbolIndex: Import]

    public init(_ object: Object) {
        self.object = object
        for relocation in object.relocations {
            relocations[.init(section: relocation.section, instruction: relocation.instruction)] = relocation
        }
        calls = Dictionary(grouping: object.calls, by: \.caller)
        callees = Dictionary(
            object.calls.map {
                (.init(section: object.functions[$0.caller].section, instruction: $0.instruction), $0.callee)
            }, uniquingKeysWith: { a, _ in a })
        imports = Dictionary(object.imports.map { ($0.symbol, $0) }, uniquingKeysWith: { a, _ in a })
    }

    /// The facts about a function.
    ///
    /// - Parameter index: an index of ``Object/functions``.
    public func facts(of index: Int) -> FunctionFacts {
        let function = object.functions[index]
        var facts = FunctionFacts()
        var uses = Uses()
        var helpers: Set<Int32> = []
        var code: [Instruction] = []
        var isSecondSlot = false
        for slot in function.instructions.lowerBound.value..<function.instructions.upperBound.value {
            guard let instruction = object.instruction(InstructionIndex(slot), of: function.section) else { break }
            code.append(instruction)
            if isSecondSlot {
                isSecondSlot = false
                continue
            }
            isSecondSlot = instruction.isWideLoad
            if let relocation = relocations[.init(section: function.section, instruction: InstructionIndex(slot))] {
                note(relocation, instruction, &uses)
            } else if instruction.isCall, instruction.source == 0 {
                helpers.insert(instruction.immediate)
            }
        }
        facts.helpers = helpers.sorted()
        for call in calls[index] ?? [] {
            let name = object.functions[call.callee].name
            uses.add(name, call.isAddress ? \.callbacks : \.callees)
        }
        uses.write(to: &facts)
        let flow = RegisterFlow(
            code, start: function.instructions.lowerBound, contexts: contexts(of: function),
            arguments: { arguments(of: $0, at: .init(section: function.section, instruction: $1)) })
        facts.stack = -flow.lowestStackOffset
        facts.context = flow.context
        return facts
    }

    /// The registers in which a function gets a context: r1 for a program, else those whose type or tag says so.
    private func contexts(of function: Function) -> [Int] {
        if function.role == .entry { return [1] }
        guard let btf = object.btf, let id = function.typeID, let prototype = Prototype(of: id, in: btf) else { return [] }
        let tags = ArgumentTags(of: prototype)
        return prototype.parameters.indices.prefix(5).filter { prototype.isContext(parameter: $0, tags) }.map { $0 + 1 }
    }

    private func note(_ relocation: Relocation, _ instruction: Instruction, _ uses: inout Uses) {
        let symbol = object.symbols[relocation.symbol.value]
        if symbol.isUndefined {
            if imports[symbol.index] != nil { return uses.add(symbol.name, \.imports) }
            return uses.add(symbol.name, instruction.isCall ? \.kernelFunctions : \.kernelVariables)
        }
        guard Int(symbol.sectionNumber) < object.sections.count, instruction.isWideLoad else { return }
        let section = object.sections[Int(symbol.sectionNumber)]
        if section.isCode { return }
        if section.name == ".maps" || section.name == "maps" {
            uses.add(symbol.name, \.maps)
        } else {
            uses.add(section.name, \.data)
        }
    }

    /// The names that a function uses, each once, in the order of their first use.
    private struct Uses {
        private var names: [(field: WritableKeyPath<FunctionFacts, [String]>, name: String)] = []
        private var known: [WritableKeyPath<FunctionFacts, [String]>: Set<String>] = [:]

        mutating func add(_ name: String, _ field: WritableKeyPath<FunctionFacts, [String]>) {
            if known[field, default: []].insert(name).inserted { names.append((field, name)) }
        }

        func write(to facts: inout FunctionFacts) {
            for (field, name) in names { facts[keyPath: field].append(name) }
        }
    }

    /// How many arguments a call takes; nil for most helpers, of which only that is known that their first argument is in r1.
    private func arguments(of call: Instruction, at place: Place) -> Int? {
        if let callee = callees[place] { return parameterCount(object.functions[callee].typeID) }
        if let relocation = relocations[place] { return parameterCount(imports[relocation.symbol]?.typeID) }
        return Self.helpersWithoutArguments.contains(call.immediate) ? 0 : nil
    }

    private func parameterCount(_ id: TypeID?) -> Int? {
        guard let btf = object.btf, let id else { return nil }
        return Prototype(of: id, in: btf)?.parameters.count
    }

    /// Helpers declared with `(void)` in `linux/bpf.h`, to which the caller's own r1 is not passed.
    private static let helpersWithoutArguments: Set<Int32> = [5, 7, 8, 14, 15, 35, 42, 80, 118, 125, 158, 160, 186, 208]
}
