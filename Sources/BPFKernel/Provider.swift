// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFLinker
public import BPFObject
import CLibbpf

extension OpenProgram {
    /// The program's BTF, read back from the kernel; nil if it was loaded without.
    ///
    /// - Throws: ``KernelError`` if the kernel does not give it (that needs CAP_SYS_ADMIN) or it cannot be read.
    public func btf() throws(KernelError) -> BTF? {
        guard let bytes = try btfBytes() else { return nil }
        do throws(ObjectError) {
            return try BTF(bytes: bytes, what: "BTF of program \(info.id) (\(info.name))")
        } catch {
            throw KernelError(.system, "\(error)")
        }
    }

    /// The same as it is stored.
    public func btfBytes() throws(KernelError) -> [UInt8]? {
        guard let id = info.btfID else { return nil }
        do throws(CallFailure) {
            return BTFHandle(owning: try libbpfPointer { btf__load_from_kernel_by_id(id) }).bytes
        } catch {
            throw KernelError(.system, "the BTF of program \(info.id) (\(info.name)) cannot be read", error)
        }
    }

    /// What the program offers to importers.
    ///
    /// - Parameter selector: how the user named it; messages repeat it.
    /// - Throws: ``KernelError`` with code `not-a-provider` if it offers nothing.
    public func providerSnapshot(namedAs selector: ProgramSelector) throws(KernelError) -> ProviderSnapshot {
        guard let snapshot = try offered(as: selector.description) else {
            throw KernelError(
                .notAProvider, "\(selector.words) exports no function",
                notes: ["it is the \(info.type) program \(info.name), id \(info.id)"],
                help: [
                    "load it as a library, or with `--export`: its global functions are exported then, static and hidden ones only if "
                        + "they are marked `__bpf_chain`"
                ])
        }
        return snapshot
    }

    /// What the program offers to importers, nil if that is nothing.
    ///
    /// - Parameter reference: how messages name the program.
    public func offered(as reference: String) throws(KernelError) -> ProviderSnapshot? {
        let carried = try carried()
        let exported = try exports()
        guard !exported.isEmpty || carried != nil else { return nil }
        return ProviderSnapshot(
            reference: reference, id: info.id, name: info.name, tag: info.tag, type: info.type.description,
            exports: carried?.offered(by: exported) ?? exported, carried: carried)
    }

    /// The functions that the program exports, and those that it offers to be verified with importers, with their prototypes.
    ///
    /// The kernel keeps all functions, or none. Of those that are no exports the program offers what has the tag
    /// ``BPFObject/Function/chainTag``, which its author or bpflink gave it.
    ///
    /// - Throws: ``KernelError`` as ``btf()``.
    public func exports() throws(KernelError) -> [ProviderExport] {
        guard !info.exports.isEmpty || !info.bodies.isEmpty, let btf = try btf() else { return [] }
        let exported = Set(info.exports.map(\.typeID))
        let marked = info.bodies.filter { !exported.contains($0) && btf.hasTag(Function.chainTag, on: TypeID($0)) }
        return info.offers(of: (info.exports.map(\.typeID) + marked).compactMap { Prototype(of: TypeID($0), in: btf) })
    }
}

extension ProgramInfo {
    /// Which of the functions of its BTF a program offers to importers, and how: exports first.
    func offers(of functions: [Prototype]) -> [ProviderExport] {
        let exported = Set(exports.map(\.typeID))
        let kept = Set(bodies)
        let offers = functions.map { function in
            ProviderExport(
                prototype: function, isCallable: exported.contains(function.typeID.value), hasBody: kept.contains(function.typeID.value))
        }
        return offers.filter(\.isCallable) + offers.filter { $0.verification == .chain }
    }
}
