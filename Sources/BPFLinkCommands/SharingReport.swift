// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLink

// What `load` says about sharing: what has a copy in each program, and why.

extension Sharing {
    /// The functions that a program imports.
    func imports(of program: String) -> [Function] { functions.filter { $0.programs.contains(program) } }

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
    var words: String { "\(name) into \(programs.joined(separator: ", ")): \(reason.words)" }
}

extension Sharing.Reason {
    var words: String {
        switch self {
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
    /// Whether the kernel says that the program imports it.
    func isUsed(by program: ProgramInfo, from provider: ProgramInfo) -> Bool {
        program.imports(export.typeID.value, from: provider.id)
    }
}

extension LoadCommand {
    static func json(for function: Sharing.Function, from provider: LoadedProgram) -> JSONValue {
        .object([
            "name": .string(function.name), "prototype": .string("\(function.export.prototype)"),
            "provider": .object(["id": .integer(provider.info.id), "name": .string(provider.name)]),
        ])
    }

    /// What the kernel refused, and to those who asked for sharing, that there is none.
    func notes(aboutSharing plan: LinkPlan) -> [Diagnostic] {
        Self.notes(about: plan.sharing) + (share == true && !plan.isShared ? [Self.noteThatNothingIsShared(plan)] : [])
    }

    /// What the kernel refused: each function or program once.
    private static func notes(about sharing: Sharing) -> [Diagnostic] {
        var told: Set<String> = []
        return sharing.copies.compactMap { copy in
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

    /// For those who asked for sharing.
    private static func noteThatNothingIsShared(_ plan: LinkPlan) -> Diagnostic {
        let reasons = plan.sharing.copies.map(\.words)
        return Diagnostic(
            .note, code: "nothing-shared", "nothing is shared by programs of \(plan.object.name)",
            notes: Features.functionCalls() == .absent ? ["kernel lacks FD + name calls"] : reasons)
    }
}
