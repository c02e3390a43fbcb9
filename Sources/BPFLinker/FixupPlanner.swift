// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import BPFObject

/// Turns bindings into changes of instructions.
struct FixupPlanner {
    let object: Object
    /// By slot.
    let providers: [ProviderSnapshot]

    /// The fixups of all bindings, in the order of sections and instructions.
    func fixups(for bindings: [Binding], errors: inout [LinkError]) -> [Fixup] {
        var fixups: [Fixup] = []
        for binding in bindings {
            for site in binding.import.sites {
                guard let before = object.instruction(site.instruction, of: site.section) else { continue }
                switch site.use {
                case .call:
                    // The call of a copy is libbpf's to relocate, as any call of a subprogram.
                    if let call = call(binding) { fixups.append(fixup(site, before, call, binding)) }
                case .address where !binding.import.isWeak:
                    errors.append(
                        .unsupportedUse(
                            binding.import, site, reason: "its address is taken; an import can only be called"))
                case .address:
                    fixups.append(fixup(site, before, address(binding, before), binding))
                    let next = site.instruction + 1
                    if let second = object.instruction(next, of: site.section), second != Instruction(opcode: 0) {
                        var site = site
                        site.instruction = next
                        fixups.append(fixup(site, second, Instruction(opcode: 0), binding))
                    }
                }
            }
        }
        return fixups.sorted { ($0.section, $0.instruction) < ($1.section, $1.instruction) }
    }

    /// The call to a function of another program, or one that no verifier takes.
    private func call(_ binding: Binding) -> Instruction? {
        switch binding.target {
        case .call(_, let slot, let verification):
            return Instruction(
                opcode: Instruction.callOpcode, source: verification.callSource, offset: Int16(clamping: slot.value),
                immediate: Int32(bitPattern: binding.import.typeID.value))
        case .copy: return nil
        case .unresolved(let poison):
            return Instruction(opcode: Instruction.callOpcode, immediate: poison)
        }
    }

    /// What `if (function)` tests: the number 1 for a bound weak import, else 0. A program never sees a real address.
    private func address(_ binding: Binding, _ before: Instruction) -> Instruction {
        let isBound = if case .unresolved = binding.target { false } else { true }
        return Instruction(
            opcode: Instruction.wideLoadOpcode, destination: before.destination, immediate: isBound ? 1 : 0)
    }

    private func fixup(_ site: ImportSite, _ before: Instruction, _ after: Instruction, _ binding: Binding) -> Fixup {
        let target =
            switch binding.target {
            case .call(_, let slot, .once): "in slot \(slot), \(providers[slot.value])"
            case .call(_, let slot, .chain): "in slot \(slot), verified with the caller, \(providers[slot.value])"
            case .copy(_, let provider): "a copy, of \(provider)"
            case .unresolved: binding.import.isWeak ? "weak and not provided" : "not used by what is loaded"
            }
        return Fixup(
            section: site.section, sectionName: site.sectionName, instruction: site.instruction, before: before,
            after: after, because: "\(site.use.rawValue) of `\(binding.import.name)`: \(target)")
    }
}

extension SyntheticEntry {
    /// The entry program that a library needs, or the functions that programs of the object share; nil if there is neither.
    init?(for object: Object, sharing: Sharing, options: LinkOptions) {
        let carriesOnly = options.carriesOnly(object)
        let functions =
            object.isLibrary
            ? object.exports.filter { carriesOnly || options.verification(of: $0) != nil }.map(\.name) : sharing.functions.map(\.name)
        guard !functions.isEmpty else { return nil }
        let name = Self.name(for: object)
        let type = object.isLibrary ? options.entrySection : sharing.providerType
        // libbpf finds the records of .BTF.ext by the names of sections.
        let isTaken = object.sections.contains { $0.name == type }
        self.init(name: name, sectionName: isTaken ? "\(type)/\(name)" : type, type: type,
            functions: carriesOnly ? [] : functions, digest: carriesOnly ? object.digest : nil)
    }

    /// A name that tells where the program comes from: the object's file name up to the first dot, made an identifier and
    /// unlike every symbol of the object.
    private static func name(for object: Object) -> String {
        let file = object.name.split(separator: "/").last ?? "library"
        let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
        let letters = [UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z")]
        let stem = (file.split(separator: ".").first ?? "library").unicodeScalars.map { scalar in
            UInt8(exactly: scalar.value).map { byte in digits.contains(byte) || letters.contains { $0.contains(byte) } } == true
                ? UInt8(scalar.value) : UInt8(ascii: "_")
        }
        var name = String(decoding: stem, as: UTF8.self)
        if stem.first.map(digits.contains) ?? true { name = "_" + name }
        while object.symbols.contains(where: { $0.name == name }) { name += "_" }
        return name
    }
}
