// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFLinker
import BPFObject
import CLibbpf
import Glibc
import Synchronization

/// A program of a loaded object.
public struct LoadedProgram: Sendable {
    public var name: String
    /// The ELF section, which says the type and maybe where to attach.
    public var section: String
    /// The descriptor; it belongs to the ``LoadedObject``.
    public var descriptor: CInt
    public var info: ProgramInfo
    /// Whether bpflink made the program, so that a library or what programs share can be loaded.
    public var isSynthetic: Bool
    /// Whether nothing in it can be called, and it carries the object so that its functions can be copied.
    public var offersCopies = false
    /// Where it is pinned.
    public var pin: String?
    public var attachments: [LoadedAttachment] = []
}

/// An attachment of a loaded program.
public struct LoadedAttachment: Sendable {
    /// In words: a section name, or a target as the user gave it.
    public var place: String
    /// Where it is pinned.
    public var pin: String?
    let attachment: Attachment
}

/// A map of a loaded object.
public struct LoadedMap: Sendable {
    public var name: String
    public var id: UInt32
    /// Where libbpf pinned it, or found it pinned, because the object asks for that (`LIBBPF_PIN_BY_NAME`).
    public var pin: String?
    /// Where it is attached, if it is a map of functions (`struct_ops`).
    public var attachment: LoadedAttachment?
}

/// Everything that loading an object made. It goes away with this value, but for what is pinned or was passed on.
public final class LoadedObject: @unchecked Sendable {
    /// What was loaded; it may share less than what was planned, if the kernel refused.
    public let plan: LinkPlan
    /// In the order of loading: what is shared comes first.
    public private(set) var programs: [LoadedProgram]
    public private(set) var maps: [LoadedMap]
    /// The verifier's logs, if they were asked for.
    public let logs: [VerifierLog]
    /// What its providers carry; nil if they carry nothing.
    public let carried: Carried?
    private let object: ObjectHandle
    private let pointers: [OpaquePointer]
    private let isInterposed: Bool

    init(
        plan: LinkPlan, object: consuming ObjectHandle, isInterposed: Bool, logs: [VerifierLog],
        options: LoadOptions
    ) throws(KernelError) {
        var programs: [LoadedProgram] = []
        var maps: [LoadedMap] = []
        // Programs in `?` sections are not loaded by themselves.
        let all = object.programs.filter { bpf_program__fd($0) >= 0 }
        let isProvider = { String(cString: bpf_program__name($0)) == plan.syntheticEntry?.name }
        let pointers = all.filter(isProvider) + all.filter { !isProvider($0) }
        do throws(CallFailure) {
            for pointer in pointers {
                let name = String(cString: bpf_program__name(pointer))
                let number = bpf_program__fd(pointer)
                programs.append(
                    LoadedProgram(
                        name: name, section: String(cString: bpf_program__section_name(pointer)), descriptor: number,
                        info: try ProgramInfo(descriptor: number), isSynthetic: name == plan.syntheticEntry?.name))
            }
            for pointer in object.maps where bpf_map__fd(pointer) >= 0 {
                var info = bpf_map_info()
                var size = UInt32(MemoryLayout<bpf_map_info>.size)
                try libbpfCall { bpf_obj_get_info_by_fd(bpf_map__fd(pointer), &info, &size) }
                let pin = bpf_map__is_pinned(pointer) ? bpf_map__pin_path(pointer).map { String(cString: $0) } : nil
                maps.append(LoadedMap(name: String(cString: bpf_map__name(pointer)), id: info.id, pin: pin))
            }
        } catch {
            throw KernelError(.system, "the kernel tells nothing about what was loaded", error)
        }
        let providers = programs.indices.filter { options.exports || programs[$0].isSynthetic && plan.object.isLibrary }
        var carried: Carried?
        if !providers.isEmpty, options.carriesObject || plan.copiesOnly || plan.carriesOnly {
            carried = try Self.carry(plan, by: providers.map { programs[$0].descriptor }, maps: object.maps)
            for index in providers {
                programs[index].offersCopies = programs[index].info.exports.isEmpty && programs[index].info.bodies.isEmpty
            }
        }
        try CopiesMap.record(plan, in: programs)
        self.carried = carried
        self.plan = plan
        self.programs = programs
        self.maps = maps
        self.logs = logs
        self.object = object
        self.pointers = pointers
        self.isInterposed = isInterposed
    }

    /// What one of the programs offers to importers.
    public func offered(by program: LoadedProgram) -> [ProviderExport] {
        let exported = program.info.offers(of: plan.object.exports.map(\.prototype))
        guard let carried, program.offersCopies || !exported.isEmpty else { return exported }
        return carried.offered(by: exported)
    }

    /// Attaches every program of the objects to the target that takes its type.
    static func attach(_ objects: [LoadedObject], to targets: [AttachTarget]) throws(KernelError) {
        guard !targets.isEmpty else { return }
        for target in targets where target != .section {
            guard objects.contains(where: { $0.programs.contains { target.takes($0.info.type, section: $0.section) } }) else {
                throw KernelError(
                    .attach, "no program of the object can be attached to `\(target)`", notes: objects.flatMap(\.typeNotes))
            }
        }
        for object in objects { try object.attach(to: targets) }
    }

    private func attach(to targets: [AttachTarget]) throws(KernelError) {
        for index in programs.indices where !programs[index].isSynthetic {
            let program = programs[index]
            let attacher = Attacher(
                program: pointers[index], name: program.name, section: program.section, isInterposed: isInterposed)
            let fitting = targets.filter { $0.takes(program.info.type, section: program.section) }
            guard !fitting.isEmpty else {
                throw KernelError(
                    .attach, "nothing says where to attach `\(program.name)` (\(program.info.type))", notes: typeNotes,
                    help: [AttachTarget.help])
            }
            // A map of functions is attached, not each of them.
            if program.info.type.rawValue == BPF_PROG_TYPE_STRUCT_OPS.rawValue { continue }
            for target in fitting {
                programs[index].attachments += try attacher.attach(to: target).map {
                    LoadedAttachment(place: $0.place, attachment: $0)
                }
            }
        }
        if targets.contains(.section) { try attachMaps() }
    }

    /// Hands the maps of functions to the kernel.
    private func attachMaps() throws(KernelError) {
        for pointer in object.maps where bpf_map__fd(pointer) >= 0 && bpf_map__type(pointer) == BPF_MAP_TYPE_STRUCT_OPS {
            let name = String(cString: bpf_map__name(pointer))
            do throws(CallFailure) {
                let link = try libbpfPointer { bpf_map__attach_struct_ops(pointer) }
                let attachment = Attachment(owning: .structOps(link), place: "struct_ops")
                for index in maps.indices where maps[index].name == name {
                    maps[index].attachment = LoadedAttachment(place: attachment.place, attachment: attachment)
                }
            } catch {
                throw KernelError(
                    .attach, "the functions of `\(name)` cannot be attached", error, notes: error.lastWords + leftOutNotes)
            }
        }
    }

    /// What may be missing in a map of functions.
    private var leftOutNotes: [String] {
        let names = plan.leftOut.map { "`\($0.name)`" }
        return names.isEmpty ? [] : ["these programs are not loaded: \(names.joined(separator: ", "))"]
    }

    private var typeNotes: [String] {
        programs.map { "`\($0.name)` is \($0.info.type.withArticle) program (section \($0.section))" }
    }

    /// Removes what outlives this value although nobody asked for it: pins that libbpf made of maps, by their names.
    func removeNewMapPins() {
        for path in object.newMapPins { unlink(path) }
    }

    /// Pins every program of the objects, and its attachments beside it.
    ///
    /// - Parameter paths: by program, and by map of functions, whose pin is that of its attachment.
    static func pin(_ objects: [LoadedObject], at paths: [String: String]) throws(KernelError) {
        var pins = PinTransaction()
        for object in objects { try object.pin(at: paths, &pins) }
        pins.keep()
        let attachments = objects.flatMap { $0.programs.flatMap(\.attachments) + $0.maps.compactMap(\.attachment) }
        for attachment in attachments { attachment.attachment.markPinned() }
    }

    private static func descriptor(of attachment: Attachment, _ name: String) throws(KernelError) -> CInt {
        if let descriptor = attachment.descriptor { return descriptor }
        throw KernelError(
            .pin, "the attachment of `\(name)` to \(attachment.place) cannot be pinned",
            notes: ["a program may have a mark (USDT) in several places; libbpf attaches to each, and gives no way to pin them"],
            help: ["without `--pin`, attachments last as long as bpflink; `--exec -- COMMAND` runs a command meanwhile"])
    }

    private func pin(at paths: [String: String], _ pins: inout PinTransaction) throws(KernelError) {
        for index in programs.indices {
            guard let path = paths[programs[index].name] else { continue }
            try pins.pin(programs[index].descriptor, at: path)
            programs[index].pin = path
            for number in programs[index].attachments.indices {
                let linkPath = PinPath.link(of: path, number: number)
                let attachment = programs[index].attachments[number].attachment
                try pins.pin(Self.descriptor(of: attachment, programs[index].name), at: linkPath)
                programs[index].attachments[number].pin = linkPath
            }
        }
        for index in maps.indices {
            guard let attachment = maps[index].attachment?.attachment, let path = paths[maps[index].name] else { continue }
            try pins.pin(Self.descriptor(of: attachment, maps[index].name), at: path)
            maps[index].attachment?.pin = path
        }
    }
}
