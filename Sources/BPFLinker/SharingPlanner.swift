// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFObject

/// Finds what the programs of an object can share.
///
/// A function of `.text` is one piece of code for all programs of the object, so a call in it is an import for all programs
/// that have it, or for none. Code that is in the provider, or in a program that cannot import, keeps its calls; everything
/// else calls what is shared in the provider.
struct SharingPlanner {
    let object: Object
    /// The programs that are loaded, as indices of the object's functions.
    private let programs: [Int]
    private let refusals: Refusals
    /// Whether the provider keeps its functions, so that they can be verified with programs.
    private let keepsBodies: Bool
    /// Whether all functions are to be verified with programs.
    private let chainsAll: Bool
    /// The slot of the provider that the shared functions will be in.
    private let slot: ProviderSlot
    private let callees: [Int: [CallEdge]]
    /// By index of the object's functions.
    private let exports: [Int: Export]
    private let obstacles: [Int: ContractObstacle]
    /// Whether the object says which type a function has, as exports need it.
    private let hasRecords: Bool
    /// What each program reaches, itself included.
    private let reach: [Int: Set<Int>]
    /// Programs that cannot import.
    private let closed: [Int: Sharing.ProgramReason]
    /// By function, the programs that cannot import it, with the kernel's words.
    private let refused: [Int: [Int: [String]]]
    /// By function, the functions whose calls of it are no imports because such programs have them.
    private let keptCallers: [Int: Set<Int>]
    /// By function, the programs that can import it only if it is verified with them, with the kernel's words.
    private let chained: [Int: [Int: [String]]]
    /// By function, the functions whose calls of it are verified so because such programs have them.
    private let chainedCallers: [Int: Set<Int>]
    /// Functions that are not valid in the provider, with the kernel's words.
    private var invalid: [Int: [String]] = [:]

    init(_ object: Object, programs: [EntryProgram], options: LinkOptions, slot: ProviderSlot) {
        let refusals = options.refusals
        self.object = object
        self.refusals = refusals
        keepsBodies = options.keepsBodies && options.verification != .once
        chainsAll = keepsBodies && options.verification == .chain
        self.slot = slot
        let chosen = Set(programs.map(\.function))
        self.programs = object.functions.indices.filter { chosen.contains(object.functions[$0]) }
        callees = Dictionary(grouping: object.calls, by: \.caller)
        let byFunction = Dictionary(object.exports.map { ($0.function.symbol, $0) }, uniquingKeysWith: { a, _ in a })
        var exports: [Int: Export] = [:]
        for (index, function) in object.functions.enumerated() { exports[index] = byFunction[function.symbol] }
        self.exports = exports
        obstacles = object.obstacles()
        hasRecords = object.sections.contains { $0.name == ".BTF.ext" && $0.hasContents }
        var reach: [Int: Set<Int>] = [:]
        var closed: [Int: Sharing.ProgramReason] = [:]
        for program in self.programs {
            reach[program] = Self.reachable(from: program, callees)
            closed[program] = Self.reason(against: object.functions[program], refusals)
        }
        self.reach = reach
        self.closed = closed
        var refused: [Int: [Int: [String]]] = [:]
        var chained: [Int: [Int: [String]]] = [:]
        for program in self.programs {
            for (index, function) in object.functions.enumerated() {
                let name = object.functions[program].name
                let words = refusals.imports[name]?[function.name]
                let bodyWords = refusals.bodyImports[name]?[function.name]
                if keepsBodies { chained[index, default: [:]][program] = words }
                refused[index, default: [:]][program] = keepsBodies ? bodyWords : words
            }
        }
        func callers(_ programs: [Int: [String]]) -> Set<Int> {
            programs.keys.reduce(into: []) { $0.formUnion(reach[$1] ?? []) }
        }
        self.refused = refused.filter { !$0.value.isEmpty }
        keptCallers = self.refused.mapValues(callers)
        self.chained = chained.filter { !$0.value.isEmpty }
        chainedCallers = self.chained.mapValues(callers)
    }

    mutating func plan() -> Sharing {
        let sharing = planOnce()
        let refused = refusals.providers[sharing.providerType] ?? [:]
        let dropped = sharing.functions.filter { refused[$0.name] != nil && !$0.isBody }
        if dropped.isEmpty { return sharing }
        for function in dropped {
            if let index = object.functions.firstIndex(of: function.export.function) { invalid[index] = refused[function.name] }
        }
        return plan()
    }

    private func planOnce() -> Sharing {
        var shared = candidates()
        var kept = keptCode(shared)
        var images = images(shared, kept)
        // What no program calls directly needs no export. Without it the provider may be smaller, and code that is then no part
        // of the provider is free to import.
        while true {
            let called = Set(calls(shared, kept, images).map(\.callee))
            if called == shared { break }
            shared = called
            kept = keptCode(shared)
            images = self.images(shared, kept)
        }
        let calls = calls(shared, kept, images)
        let functions = functions(shared, calls, images)
        return Sharing(
            functions: functions, copies: copies(images), providerType: providerType(functions),
            fixups: fixups(calls, Dictionary(uniqueKeysWithValues: zip(shared.sorted(), functions))),
            contents: Dictionary(
                images.map { (object.functions[$0].name, Set(names(Array($1)))) }, uniquingKeysWith: { a, _ in a }))
    }

    // MARK: What

    /// The functions that two programs could import.
    private func candidates() -> Set<Int> {
        Set(
            object.functions.indices.filter { index in
                users(of: index).count > 1 && obstacle(to: index) == nil
            })
    }

    /// The programs that could import a function.
    private func users(of function: Int) -> [Int] {
        programs.filter {
            closed[$0] == nil && refused[function]?[$0] == nil && $0 != function && reach[$0]?.contains(function) == true
        }
    }

    /// Why a function can be no export, but can be verified with each program that imports it.
    private func obstacleToExport(_ index: Int) -> Sharing.Reason? {
        let function = object.functions[index]
        if function.role == .body { return .isMarked }
        if let words = refusals.functions[function.name] ?? invalid[index] { return .refused(words) }
        return exports[index]?.prototype.obstacle.map { .obstacle($0, in: function.name) }
    }

    /// Why a function cannot be shared, whoever calls it.
    private func obstacle(to index: Int) -> Sharing.Reason? {
        let function = object.functions[index]
        switch function.role {
        case .entry, .static: return .isStatic
        case .hidden: return .isHidden
        case .exported, .body: break
        }
        if object.storesPrograms { return .programsInData }
        if let words = refusals.bodies[function.name] { return .refused(words) }
        if exports[index] == nil || !hasRecords { return .noPrototype }
        if let obstacle = obstacleToExport(index) { return keepsBodies ? nil : obstacle }
        if obstacles.isEmpty { return nil }
        for callee in Self.reachable(from: index, callees).sorted() {
            if let obstacle = obstacles[callee] { return .obstacle(obstacle, in: object.functions[callee].name) }
        }
        return nil
    }

    /// What a function calls or takes the address of, directly or through others, itself included.
    private static func reachable(
        from start: Int, _ callees: [Int: [CallEdge]], over follows: (CallEdge) -> Bool = { _ in true }
    ) -> Set<Int> {
        var reached: Set<Int> = [start]
        var waiting = [start]
        while let next = waiting.popLast() {
            for edge in callees[next] ?? [] where follows(edge) && reached.insert(edge.callee).inserted {
                waiting.append(edge.callee)
            }
        }
        return reached
    }

    // MARK: Where

    /// Functions whose calls stay as they are.
    private func keptCode(_ shared: Set<Int>) -> Set<Int> {
        var kept: Set<Int> = []
        for function in shared where !kept.contains(function) { kept.formUnion(Self.reachable(from: function, callees)) }
        for program in closed.keys { kept.formUnion(reach[program] ?? []) }
        return kept
    }

    private func isImport(_ edge: CallEdge, _ shared: Set<Int>, _ kept: Set<Int>) -> Bool {
        !edge.isAddress && shared.contains(edge.callee) && !kept.contains(edge.caller)
            && keptCallers[edge.callee]?.contains(edge.caller) != true
    }

    /// When the kernel verifies the function that an import calls.
    private func verification(of edge: CallEdge) -> Verification {
        chainsAll || obstacleToExport(edge.callee) != nil || chainedCallers[edge.callee]?.contains(edge.caller) == true ? .chain : .once
    }

    /// The functions that each program consists of once its calls are imports.
    private func images(_ shared: Set<Int>, _ kept: Set<Int>) -> [Int: Set<Int>] {
        var images: [Int: Set<Int>] = [:]
        for program in programs {
            images[program] = Self.reachable(from: program, callees) { !isImport($0, shared, kept) }
        }
        return images
    }

    /// The calls that become imports, in the order of the object.
    private func calls(_ shared: Set<Int>, _ kept: Set<Int>, _ images: [Int: Set<Int>]) -> [CallEdge] {
        let present = images.values.reduce(into: Set<Int>()) { $0.formUnion($1) }
        return object.calls.filter { present.contains($0.caller) && isImport($0, shared, kept) }
    }

    // MARK: Results

    private func functions(_ shared: Set<Int>, _ calls: [CallEdge], _ images: [Int: Set<Int>]) -> [Sharing.Function] {
        var functions: [Sharing.Function] = []
        let calls = Dictionary(grouping: calls, by: \.callee)
        for index in shared.sorted() {
            guard let export = exports[index], let calls = calls[index] else { continue }
            func importers(_ calls: [CallEdge]) -> [Int] {
                let callers = Set(calls.map(\.caller))
                return programs.filter { !(images[$0] ?? []).isDisjoint(with: callers) }
            }
            let obstacle = obstacleToExport(index)
            let chained = importers(calls.filter { verification(of: $0) == .chain })
            let id = TypeID(UInt32(clamping: (object.btf?.types.count ?? 0) + functions.count))
            functions.append(
                Sharing.Function(
                    export: export, extern: ExternFunction(name: export.name, definition: export.typeID, typeID: id),
                    programs: names(importers(calls)), isBody: obstacle != nil,
                    chained: Self.grouped(chained, by: { obstacle ?? reason(toChain: index, $0, images) }, names)))
        }
        return functions
    }

    /// Why a function that is an export is verified with a program.
    private func reason(toChain index: Int, _ program: Int, _ images: [Int: Set<Int>]) -> Sharing.Reason {
        if chainsAll { return .isAsked }
        if let words = chained[index]?[program] { return .refused(words) }
        let callers = images[program]?.intersection(chainedCallers[index] ?? []) ?? []
        let caller = object.calls.first { $0.callee == index && callers.contains($0.caller) }?.caller ?? program
        return .calledWith(object.functions[caller].name)
    }

    /// Programs with one reason together, in the order of the object.
    private static func grouped(
        _ programs: [Int], by reason: (Int) -> Sharing.Reason, _ names: ([Int]) -> [String]
    ) -> [Sharing.Chained] {
        Dictionary(grouping: programs, by: reason).sorted { $0.value[0] < $1.value[0] }
            .map { Sharing.Chained(programs: names($0.value), reason: $0.key) }
    }

    private func copies(_ images: [Int: Set<Int>]) -> [Sharing.Copy] {
        object.functions.indices.flatMap { index -> [Sharing.Copy] in
            let function = object.functions[index]
            let holders = programs.filter { $0 != index && images[$0]?.contains(index) == true }
            guard holders.count > 1 || holders.count == 1 && function.role == .exported else { return [] }
            func copy(_ programs: [Int], _ reason: Sharing.Reason) -> Sharing.Copy {
                Sharing.Copy(name: function.name, programs: names(programs), reason: reason)
            }
            if let obstacle = obstacle(to: index) { return [copy(holders, obstacle)] }
            // Each program that cannot import has a reason of its own.
            let excused = holders.compactMap { program in
                closed[program].map { copy([program], .program(object.functions[program].name, $0)) }
            }
            let words = refused[index] ?? [:]
            let refusing = Dictionary(grouping: holders.filter { closed[$0] == nil && words[$0] != nil }, by: { words[$0] ?? [] })
                .sorted { $0.value[0] < $1.value[0] }.map { copy($0.value, .refused($0.key)) }
            let others = holders.filter { closed[$0] == nil && words[$0] == nil }
            return excused + refusing + (others.isEmpty ? [] : [copy(others, reason(index, copiedInto: others, images))])
        }
    }

    /// Why programs that can import have a copy of a function that could be an export.
    private func reason(_ index: Int, copiedInto holders: [Int], _ images: [Int: Set<Int>]) -> Sharing.Reason {
        if users(of: index).count < 2 { return .oneProgram }
        let holding = holders.reduce(into: Set<Int>()) { $0.formUnion(images[$1] ?? []) }
        let references = object.calls.filter { $0.callee == index && holding.contains($0.caller) }
        guard let call = references.first(where: { !$0.isAddress }) else { return .onlyAddress }
        return .calledBelow(object.functions[call.caller].name)
    }

    private func fixups(_ calls: [CallEdge], _ functions: [Int: Sharing.Function]) -> [Fixup] {
        calls.compactMap { call in
            let caller = object.functions[call.caller]
            guard let function = functions[call.callee],
                let before = object.instruction(call.instruction, of: caller.section)
            else { return nil }
            let verification = verification(of: call)
            return Fixup(
                section: caller.section, sectionName: caller.sectionName, instruction: call.instruction, before: before,
                after: Instruction(
                    opcode: Instruction.callOpcode, source: verification.callSource,
                    offset: Int16(clamping: slot.value), immediate: Int32(bitPattern: function.extern.typeID.value)),
                because: "call of `\(function.name)`: in slot \(slot), \(verification == .chain ? "verified with the caller, " : "")shared")
        }
    }

    private func names(_ indices: [Int]) -> [String] { indices.map { object.functions[$0].name } }

    // MARK: Programs

    /// What a section's name tells (libbpf's documentation, "Program Types and ELF Sections"); the kernel says the rest.
    private static func reason(against program: Function, _ refusals: Refusals) -> Sharing.ProgramReason? {
        if let words = refusals.programs[program.name] { return .refused(words) }
        return kind(of: program) == "freplace" ? .isExtension : nil
    }

    private static func kind(of program: Function) -> String {
        String(program.sectionName.drop { $0 == "?" }.prefix { $0 != "/" })
    }

    /// A function that a program of a type calls mostly is valid in programs of the type, or that program would not load without
    /// sharing either. So the type that most of the shared functions are called by is the best that one provider can have.
    private func providerType(_ functions: [Sharing.Function]) -> String {
        var counts: [(type: String, functions: Set<String>)] = []
        for program in programs {
            let name = object.functions[program].name
            guard let type = Self.providerType(like: object.functions[program]) else { continue }
            let refused = refusals.providers[type] ?? [:]
            let called = functions.filter { $0.programs.contains(name) && refused[$0.name] == nil }.map(\.name)
            if let index = counts.firstIndex(where: { $0.type == type }) {
                counts[index].functions.formUnion(called)
            } else {
                counts.append((type, Set(called)))
            }
        }
        let most = counts.map(\.functions.count).max() ?? 0
        return counts.first { $0.functions.count == most }?.type ?? Sharing.none.providerType
    }

    /// The type of a program, in the words of section names, if a program of the type can be loaded with nothing to attach to.
    private static func providerType(like program: Function) -> String? {
        let kind = kind(of: program)
        // The words behind the slash are part of the type.
        if ["cgroup", "cgroup_skb"].contains(kind) { return String(program.sectionName.drop { $0 == "?" }) }
        let plain = kind.hasSuffix(".s") ? String(kind.dropLast(2)) : kind
        return unboundKinds.contains(plain) ? kind : nil
    }

    /// Of the types that may export (`prog_type_is_admitted()` in `kernel/bpf/prog_call.c`), all but those with a target by BTF id.
    private static let unboundKinds: Set<String> = [
        "socket", "kprobe", "kretprobe", "uprobe", "uretprobe", "tracepoint", "tp", "raw_tracepoint", "raw_tp", "perf_event",
        "tc", "classifier", "action", "xdp",
    ]
}
