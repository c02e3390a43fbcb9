// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

/// What the user may choose about loading.
public struct LoadOptions: Sendable {
    /// The type of all entry programs, where the section names do not say it or shall not.
    public var type: SectionType?
    /// Whether every program publishes its global subprograms; a library always does.
    public var exports = false
    /// Whether providers carry their object, so that its functions can be copied as well. It takes the object's size in the
    /// kernel's memory. A library that is loaded only to be copied from always does.
    public var carriesObject = true
    /// Whether subprograms share native code with the same ones of other programs that were loaded so. It takes a kernel that can do
    /// that; providers and what is imported have ways of their own.
    public var sharesImages = false
    /// Where to pin: the path of the program, if there is one only and the path is no directory; else a directory, with a pin of its
    /// own for each, attachments beside them (`NAME_link`). nil pins nothing.
    public var pin: String?
    /// Where to attach; empty attaches nothing.
    public var attach: [AttachTarget] = []
    /// Whether the BPF file system may be mounted if it is needed and is not.
    public var mounts = true
    /// Whether libbpf's debugging messages and the verifier's logs are wanted even of what succeeds.
    public var debug = false

    public init() {}

    /// `bpf_attr.log_level` of programs that bpflink loads itself.
    var logLevel: UInt32 { debug ? 1 : 0 }

    /// The program that has the functions which `freplace` programs replace.
    var replaced: ProgramSelector? {
        for case .replace(let program) in attach { return program }
        return nil
    }

    /// The privileged actions of loading programs of these types with these options.
    func actions(loading types: [ProgramType]) -> [PrivilegedAction] {
        types.map(PrivilegedAction.load)
            + types.filter { type in attach.contains { $0.isOfNetwork && $0.takes(type, section: "") } }
            .map(PrivilegedAction.attachToNetwork)
    }
}
