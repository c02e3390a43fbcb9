// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFObject

/// A C header with the declarations of what a library exports: what an importer includes.
///
/// Types are defined where a caller needs them, each behind a guard of its own: two libraries may have types in common, and an
/// importer may have them from elsewhere. Those of the running kernel are left to `vmlinux.h` where that is included.
public struct ExternHeader: Sendable {
    public let text: String

    /// - Parameters:
    ///   - functions: what is declared.
    ///   - btf: the BTF of all of them, as it is stored.
    ///   - source: where they come from, in words.
    ///   - name: the macro that tells that the header is included already; made an identifier.
    ///   - kernel: the types that `vmlinux.h` defines.
    /// - Throws: ``KernelError`` with code `header` if a declaration cannot be written in C.
    public init(
        _ functions: [Prototype], btf: [UInt8], source: String, guard name: String, kernel: borrowing KernelTypeNames
    ) throws(KernelError) {
        let types: HeaderTypes
        let dump: TypeDump
        do throws(ObjectError) {
            types = try HeaderTypes(of: functions, in: try BTF(bytes: btf), opaque: Self.isOpaque)
        } catch {
            throw KernelError(.header, "\(source): \(error)", help: error.help.map { [$0] } ?? [])
        }
        do throws(CallFailure) {
            dump = try TypeDump(types.definitions, of: btf)
        } catch {
            throw KernelError(.header, "the types of \(source) cannot be written in C", error)
        }

        let name = Self.identifier(name)
        let definitions = dump.blocks.map { Definition($0) }
        var parts = [
            "/* What \(Self.comment(source)) exports. Written by `bpflink header`. */\n#ifndef \(name)\n#define \(name)"
        ]
        if definitions.contains(where: \.isOfBPFHeader) {
            parts.append("#ifndef __VMLINUX_H__\n#include <linux/bpf.h>\n#endif")
        }
        let macros = functions.flatMap(\.macros)
        parts += Self.unique(macros).map { macro in
            "#ifndef \(macro.name.prefix { $0 != "(" })\n#define \(macro.name) \(macro.definition)\n#endif"
        }
        let forwards = types.forwards.map { $0 + ";" }.joined(separator: "\n")
        if !forwards.isEmpty { parts.append(forwards) }
        for definition in definitions where !definition.isOfBPFHeader {
            let isKernels = if let name = definition.name { kernel.contains(definition.keyword, name) } else { false }
            parts.append(definition.guarded(isKernels: isKernels))
        }
        parts.append(functions.map { "extern \($0);" }.joined(separator: "\n"))
        parts.append("#endif")
        text = parts.joined(separator: "\n\n") + "\n"
    }

    /// Types that are the kernel's to make: contexts and objects of its own.
    private static func isOpaque(_ name: String) -> Bool {
        Prototype.isContext(named: name) || name.hasPrefix("bpf_")
    }

    /// A block of C that `btf_dump` wrote.
    private struct Definition {
        let text: String
        /// `struct`, `union`, `enum` or `typedef`.
        let keyword: String
        /// What it defines; nil for a declaration of what is defined elsewhere, which may be repeated.
        let name: String?

        init(_ text: String) {
            self.text = text
            let words = text.prefix { $0 != "\n" }.split(separator: " ")
            keyword = words.first.map(String.init) ?? ""
            let hasBody = text.contains("{")
            if keyword == "typedef" {
                // `typedef struct {…} name;`
                name = hasBody ? text.split { !Self.isName($0) }.last.map(String.init) : Self.declared(by: text)
            } else {
                name = hasBody && words.count > 2 ? String(words[1]) : nil
            }
        }

        /// The name in a declarator: the first behind the stars of `int (*name)(int)`, else the last before brackets of any kind, as in
        /// `long name[4]` and `int name(int)`.
        private static func declared(by text: String) -> String? {
            let head = text.prefix { $0 != "(" && $0 != "[" && $0 != ";" }
            let rest = text[head.endIndex...]
            let name =
                rest.hasPrefix("(*")
                ? rest.split { !isName($0) }.first { !["const", "volatile", "restrict"].contains($0) } : head.split { !isName($0) }.last
            return name.map(String.init)
        }

        private static func isName(_ character: Character) -> Bool { character.isLetter || character.isNumber || character == "_" }

        /// Whether `<linux/bpf.h>` has it: all names there begin so, but those of contexts.
        var isOfBPFHeader: Bool {
            guard keyword != "typedef", let name else { return false }
            return name.hasPrefix("bpf_") || Prototype.isContext(named: name) && name != "pt_regs"
        }

        func guarded(isKernels: Bool) -> String {
            guard let name else { return text }
            let mark = "bpflink_\(keyword)_\(name)"
            let condition = isKernels ? "#if !defined(__VMLINUX_H__) && !defined(\(mark))" : "#ifndef \(mark)"
            return "\(condition)\n#define \(mark)\n\(text)\n#endif"
        }
    }

    private static func unique<Element: Hashable>(_ elements: [Element]) -> [Element] {
        var seen: Set<Element> = []
        return elements.filter { seen.insert($0).inserted }
    }

    private static func identifier(_ text: String) -> String {
        let name = String(text.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" })
        return name.isIdentifier ? name : "_" + name
    }

    /// A file may have any name, also one that ends a comment.
    private static func comment(_ text: String) -> String {
        String(text.map { $0 == "*" || $0.isNewline ? "?" : $0 })
    }
}
