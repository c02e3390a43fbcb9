// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFLinker
import BPFObject

/// A function that a loaded program calls in another.
public struct ProgramImport: Sendable, Hashable {
    /// nil if the provider's BTF does not tell.
    public var function: String?
    public var providerID: UInt32
    /// The provider's name in the kernel.
    public var providerName: String
    /// What the function was verified for when a program of this kind imported it first; nil if the program is of the provider's
    /// kind, or if the provider has been asked before that.
    public var environment: ProgramInfo.Environment?
    /// When the function was verified.
    public var verification: Verification
    /// The native code that the program calls.
    public var image: ProgramInfo.Image?
}

/// Turns the ids of `bpf_prog_info.imports` into names; each provider's BTF is read once.
public struct ImportNames {
    private var providers: [UInt32: (info: ProgramInfo, btf: BTF?)] = [:]

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
                    providerName: provider.info.name,
                    environment: record.environment.flatMap { index in
                        provider.info.environments.indices.contains(index) ? provider.info.environments[index] : nil
                    }, verification: record.verification, image: record.image))
        }
        return imports
    }

    private mutating func provider(_ id: UInt32) throws(KernelError) -> (info: ProgramInfo, btf: BTF?) {
        if let known = providers[id] { return known }
        let program = try OpenProgram.open(.id(id))
        let provider = (info: program.info, btf: try program.btf())
        providers[id] = provider
        return provider
    }
}
