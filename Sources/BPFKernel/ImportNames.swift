// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFObject

/// A function that a loaded program calls in another.
public struct ProgramImport: Sendable, Hashable {
    /// nil if the provider's BTF does not tell.
    public var function: String?
    public var providerID: UInt32
    /// The provider's name in the kernel.
    public var providerName: String
}

/// Turns the ids of `bpf_prog_info.imports` into names; each provider's BTF is read once.
public struct ImportNames {
    private var providers: [UInt32: (name: String, btf: BTF?)] = [:]

    public init() {}

    /// What a program imports, in the kernel's order.
    ///
    /// - Throws: ``KernelError`` if a provider cannot be opened; that needs CAP_SYS_ADMIN.
    public mutating func imports(of info: ProgramInfo) throws(KernelError) -> [ProgramImport] {
        var imports: [ProgramImport] = []
        for record in info.imports {
            let provider = try self.provider(record.programID)
            imports.append(
                ProgramImport(
                    function: provider.btf?[TypeID(record.typeID)]?.name, providerID: record.programID,
                    providerName: provider.name))
        }
        return imports
    }

    private mutating func provider(_ id: UInt32) throws(KernelError) -> (name: String, btf: BTF?) {
        if let known = providers[id] { return known }
        let program = try OpenProgram.open(.id(id))
        let provider = (name: program.info.name, btf: try program.btf())
        providers[id] = provider
        return provider
    }
}
