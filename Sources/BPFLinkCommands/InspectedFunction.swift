// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLink

/// What `inspect` shows of one function: what its code uses, and which programs may import it.
struct InspectedFunction {
    let function: Function
    let facts: FunctionFacts
    let reasons: [ImportAdvice.Reason]
    let conditions: [ImportAdvice.Reason]

    static func all(of object: Object) -> [InspectedFunction] {
        let inspector = FunctionInspector(object)
        let facts = object.functions.indices.map(inspector.facts(of:))
        let advice = ImportAdvice(object, facts: facts)
        return object.functions.indices.map { index in
            InspectedFunction(
                function: object.functions[index], facts: facts[index], reasons: advice.reasons(against: index),
                conditions: advice.conditions(of: index))
        }
    }

    /// What it uses, by kind, in the words of the output; kinds without any are left out.
    private var uses: [(kind: String, names: [String])] {
        [
            ("helpers", facts.helpers.map(Helper.name)), ("kernel functions", facts.kernelFunctions),
            ("kernel variables", facts.kernelVariables), ("maps", facts.maps), ("data", facts.data),
            ("calls", facts.callees), ("imports", facts.imports), ("callbacks", facts.callbacks),
        ].filter { !$0.names.isEmpty }
    }

    private var context: [String] {
        [(ContextUse.reads, "reads"), (.writes, "writes"), (.passes, "passes")]
            .filter { facts.context.contains($0.0) }.map(\.1)
    }

    /// For people.
    var lines: [String] {
        var lines = ["\(function.name): \(function.role.rawValue), \(facts.stack) bytes of stack"]
        if !context.isEmpty { lines.append("  context: " + context.joined(separator: ", ")) }
        lines += uses.map { "  \($0.kind): " + $0.names.joined(separator: ", ") }
        lines += reasons.map { "  an import may be refused: \(words($0))" }
        lines += conditions.map { "  an import depends on the program: \(words($0))" }
        return lines
    }

    private func words(_ reason: ImportAdvice.Reason) -> String {
        "\(reason.function == function.name ? "it" : "`\(reason.function)`") \(reason.words)"
    }

    /// For programs.
    var json: JSONValue {
        let members: [JSONValue.Member] =
            [
                .init(name: "name", value: .string(function.name)), .init(name: "role", value: .string(function.role.rawValue)),
                .init(name: "instructions", value: .integer(function.instructions.upperBound.value - function.instructions.lowerBound.value)),
                .init(name: "stack", value: .integer(facts.stack)),
            ]
            + (JSONValue.strings(context).map { [.init(name: "context", value: $0)] } ?? [])
            + uses.map { .init(name: $0.kind.split(separator: " ").joined(separator: "_"), value: .array($0.names.map(JSONValue.string))) }
            + [("obstacles", reasons), ("conditions", conditions)].filter { !$0.1.isEmpty }
            .map { .init(name: $0.0, value: .array($0.1.map(Self.json))) }
        return .object(members)
    }

    private static func json(_ reason: ImportAdvice.Reason) -> JSONValue {
        .object(["function": .string(reason.function), "reason": .string(reason.words)])
    }
}
