// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLink

// What `load` says about sharing: what has a copy in each program, and why.

extension Sharing {
    /// The functions that a program imports.
    func imports(of program: String) -> [Function] { functions.filter { $0.programs.contains(program) } }

    /// The functions that are verified with programs, by the programs and the reason.
    var chained: [(name: String, chained: Chained)] {
        functions.flatMap { function in function.chained.map { (function.name, $0) } }
    }

    /// These, for programs; nil if there are none.
    var chainedJSON: JSONValue? {
        chained.isEmpty
            ? nil
            : .array(
                chained.map { name, chained in
                    .object([
                        "name": .string(name), "programs": .strings(chained.programs), "reason": .string(chained.reason.words),
                    ])
                })
    }

    /// The copies, for programs; nil if there are none.
    var copiesJSON: JSONValue? {
        copies.isEmpty
            ? nil
            : .array(
                copies.map { copy in
                    .object([
                        "name": .string(copy.name), "programs": .strings(copy.programs), "reason": .string(copy.reason.words),
                    ])
                })
    }
}

extension Sharing.Copy {
    /// For example `clamp into on_switch, on_queue: it is hidden`.
    var words: String {
        "\(name) into \(programs.joined(separator: ", ")): \(reason.words)"
            + (reason == .isMarked ? ", and cannot be verified with those that share it" : "")
    }
}

extension Sharing.Chained {
    /// For example ``on_switch, on_queue: it is marked `__bpf_chain` ``.
    var words: String { "\(programs.joined(separator: ", ")): \(reason.words)" }
}

extension Sharing.Reason {
    var words: String {
        switch self {
        case .isMarked: "it is marked `__bpf_chain`"
        case .isAsked: "`--verify chain` asks for it"
        case .calledWith(let caller): "`\(caller)` calls it, which a program has that may not import it otherwise"
        case .isStatic: "it is static"
        case .isHidden: "it is hidden"
        case .noPrototype: "the BTF has no type of it"
        case .oneProgram: "no other program that can import uses it"
        case .obstacle(let obstacle, let function): "`\(function)` \(obstacle)"
        case .onlyAddress: "its address is taken, it is not called"
        case .calledBelow(let caller): "`\(caller)` calls it, which is also in what is shared or in a program that cannot import it"
        case .program(let program, let reason): "`\(program)` \(reason.words)"
        case .programsInData: "the object's data has programs in it, which libbpf loads itself"
        case .refused(let lines): "the kernel refuses to share it: \(lines.joined(separator: "; "))"
        }
    }
}

extension Sharing.ProgramReason {
    var words: String {
        switch self {
        case .isExtension: "replaces a function of another program, and cannot import"
        case .refused(let lines): "may not import: \(lines.joined(separator: "; "))"
        }
    }
}

extension Sharing.Function {
    /// What the kernel says of the program's imports of it: none, or one for each way in which it was verified.
    func records(in program: ProgramInfo, from provider: ProgramInfo) -> [ProgramInfo.Import] {
        program.imports(of: export.typeID.value, from: provider.id)
    }

    /// When it is verified for a program that imports it.
    func verification(with program: String) -> Verification {
        chained.contains { $0.programs.contains(program) } ? .chain : .once
    }
}

extension LoadCommand {
    static func json(
        for function: Sharing.Function, in program: LoadedProgram, from provider: LoadedProgram
    ) -> [JSONValue] {
        function.records(in: program.info, from: provider.info).map { record in
            .object([
                "name": .string(function.name), "prototype": .string("\(function.export.prototype)"),
                "provider": .object(["id": .integer(provider.info.id), "name": .string(provider.name)]),
                "verify": .string(record.verification.rawValue), "image": record.image?.json,
            ])
        }
    }

    /// What the kernel refused, and to those who asked for sharing, that there is none.
    func notes(aboutSharing plan: LinkPlan) -> [Diagnostic] {
        Self.notes(about: plan.sharing) + (share == true && !plan.isShared ? [Self.noteThatNothingIsShared(plan)] : [])
    }

    /// What the kernel refused: each function or program once.
    private static func notes(about sharing: Sharing) -> [Diagnostic] {
        var told: Set<String> = []
        let chained = sharing.chained.compactMap { name, chained -> Diagnostic? in
            guard case .refused(let words) = chained.reason else { return nil }
            return Diagnostic(
                .note, code: "verified-with-program",
                "`\(name)` is verified with \(chained.programs.joined(separator: ", ")): the kernel refuses to share what was verified once",
                notes: words + [Verification.chainCost], help: ["`--no-share` loads copies without trying"])
        }
        return chained + sharing.copies.compactMap { copy in
            let (message, lines): (String, [String])
            switch copy.reason {
            case .refused(let words):
                (message, lines) = ("`\(copy.name)` is not shared by \(copy.programs.joined(separator: ", ")): the kernel refuses it", words)
            case .program(let program, .refused(let words)):
                (message, lines) = ("`\(program)` shares nothing: the kernel refuses it", words)
            default: return nil
            }
            guard told.insert(message).inserted else { return nil }
            return Diagnostic(
                .note, code: "not-shared", message, notes: lines + ["copies are loaded in its place"],
                help: ["`--no-share` loads copies without trying"])
        }
    }

    /// In a plan, why programs share nothing that have functions in common: the kernel cannot, or not enough of them are loaded.
    /// What else is against it the plan has line by line.
    func notes(aboutCommon plan: LinkPlan) -> [Diagnostic] {
        guard share == nil, mode != .copy, !plan.isShared else { return [] }
        let common = plan.object.commonFunctions(of: plan.object.entryPrograms)
        if common.isEmpty { return [] }
        let isChosen = plan.object.commonFunctions(of: plan.programs).isEmpty
        guard isChosen || plan.copiesOnly else { return [] }
        let names = common.prefix(8).map { "`\($0)`" }.joined(separator: ", ") + (common.count > 8 ? ", …" : "")
        return [
            Diagnostic(
                .note, code: "nothing-shared", "nothing is shared by programs of \(plan.object.name)",
                notes: [
                    isChosen
                        ? "of the programs that are loaded no two have any of these in common: \(names)"
                        : "kernel lacks FD + name calls: each program has its own copy of \(names)"
                ])
        ]
    }

    /// For those who asked for sharing.
    private static func noteThatNothingIsShared(_ plan: LinkPlan) -> Diagnostic {
        let reasons = plan.sharing.copies.map(\.words)
        return Diagnostic(
            .note, code: "nothing-shared", "nothing is shared by programs of \(plan.object.name)",
            notes: Features.functionCalls() == .absent ? ["kernel lacks FD + name calls"] : reasons)
    }
}
