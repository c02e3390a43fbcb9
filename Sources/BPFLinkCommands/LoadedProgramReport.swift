// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLink

/// A program that was loaded, with all that is told of it.
struct LoadedProgramReport {
    let program: LoadedProgram
    let plan: LinkPlan
    /// What it exports, or offers copies of.
    let offered: [ProviderExport]
    let imports: [Binding]
    /// What it shares with the other programs of its object, and the program that has it.
    let shared: [Sharing.Function]
    let provider: LoadedProgram?
    /// The descriptor by which a command that bpflink runs has it.
    let number: Int32?

    static func all(of loaded: LoadedObject, _ inherited: [Foreground.Inherited]) -> [LoadedProgramReport] {
        let plan = loaded.plan
        let provider = plan.isShared ? loaded.programs.first(where: \.isSynthetic) : nil
        return loaded.programs.map { program in
            let functions = plan.functions(of: program.name)
            return LoadedProgramReport(
                program: program, plan: plan,
                offered: loaded.offered(by: program),
                imports: plan.bindings.filter { $0.isUsed(by: program.info, in: plan) || $0.isCopied(into: functions) },
                shared: plan.sharing.functions.filter { function in
                    provider.map { !function.records(in: program.info, from: $0.info).isEmpty } ?? false
                }, provider: provider, number: inherited.first { $0.program == program.name }?.descriptor)
        }
    }

    var lines: [String] {
        var lines = [
            "loaded \(program.name): id \(program.info.id), \(program.info.type), tag \(program.info.tag)"
                + (number.map { ", FD \($0)" } ?? "") + (program.pin.map { ", pinned at \($0)" } ?? "")
        ]
        lines += offered.map { "  " + $0.offerWords }
        lines += imports.map { "  imports \(LoadCommand.words(for: $0, plan))" + Self.words(for: $0.image(in: program.info, plan)) }
        if let provider {
            lines += shared.flatMap { function in
                function.records(in: program.info, from: provider.info).map { record in
                    "  imports \(function.name) -> \(function.export.prototype.called(record.verification)) of \(provider.name) "
                        + "(id \(provider.info.id))" + Self.words(for: record.image)
                }
            }
        }
        return lines + program.attachments.map(LoadCommand.words(for:))
    }

    private static func words(for image: ProgramInfo.Image?) -> String { image.map { ", " + $0.words } ?? "" }

    var json: JSONValue {
        .object([
            "name": .string(program.name), "id": .integer(program.info.id), "type": .string("\(program.info.type)"),
            "tag": .string(program.info.tag), "section": .string(program.section),
            plan.isShared ? "shared" : "library": program.isSynthetic ? .bool(true) : nil, "fd": number.map { .integer($0) },
            "pin": program.pin.map(JSONValue.string),
            "exports": .array(offered.map { LoadCommand.json(for: $0.name, $0.prototype, $0.verification) }),
            "imports": .array(
                imports.map { LoadCommand.json(for: $0, plan, in: program) }
                    + (provider.map { provider in shared.flatMap { LoadCommand.json(for: $0, in: program, from: provider) } } ?? [])),
            "attachments": .array(program.attachments.map(LoadCommand.json(for:))),
        ])
    }
}
