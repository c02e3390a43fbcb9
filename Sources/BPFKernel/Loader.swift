// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFLinker
public import BPFObject
import CBPFLinkUAPI
import CLibbpf
import Glibc
import Synchronization
import SystemPackage

/// Turns a plan into loaded, attached and pinned programs: all of them, or nothing at all.
public enum Loader {
    /// Checks everything about a plan that can be told before any work starts: program types, capabilities, features.
    ///
    /// - Throws: ``KernelError`` with code `load`, `capability` or `feature`.
    public static func check(_ plan: LinkPlan, options: LoadOptions) throws(KernelError) {
        let sections = try sectionTypes(of: plan, options: options)
        try Capabilities.ofThisProcess().check(options.actions(loading: sections.values.map(\.program)))
        if needsFunctionCalls(plan, options) { try Features.requireFunctionCalls() }
        if plan.needsBodies { try Features.requireFunctionBodies() }
        if options.sharesImages { try Features.requireSharedImages() }
    }

    /// Checks what no kernel has a say in: that each program is of a known type, and of one that it can be loaded as, and that there is
    /// something to attach.
    ///
    /// - Throws: ``KernelError`` with code `load` or `attach`.
    public static func checkTypes(_ graph: GraphPlan, options: LoadOptions) throws(KernelError) {
        for step in graph.steps { _ = try sectionTypes(of: step.plan, options: options) }
        if !options.attach.isEmpty { try requireSomethingToAttach(graph.steps.map(\.plan)) }
    }

    /// What loading programs will ask of the kernel, as far as their section names tell.
    public static func actions(for programs: [EntryProgram], options: LoadOptions) -> [PrivilegedAction] {
        let types = programs.compactMap { options.type ?? SectionType(section: $0.sectionName) }
        return options.actions(loading: types.map(\.program))
    }

    /// Loads the plan of one object, as ``load(_:providers:options:)`` does that of several.
    public static func load(
        _ plan: LinkPlan, providers: [OpenProgram], options: LoadOptions
    ) throws(KernelError) -> LoadedObject {
        try load(GraphPlan(plan), providers: providers, options: options)[0]
    }

    /// Loads objects, step by step, then attaches and pins what was loaded: all of it, or nothing.
    ///
    /// Where programs of an object share functions and the kernel cannot do that, or refuses it for a function or a program, the
    /// object is loaded again with copies in its place; so it is, in ``BPFLinker/LinkMode/auto``, where the kernel refuses an import or
    /// an export. ``LoadedObject/plan`` tells what came of it.
    ///
    /// - Parameters:
    ///   - graph: what the linker decided.
    ///   - providers: the loaded programs that the plans import from, held open since they were looked at.
    ///   - options: how they are loaded, and what becomes of them then.
    /// - Returns: The owners of everything that was loaded, in the order of loading.
    /// - Throws: ``KernelError``; then no program, map, pin or attachment is left of the attempt.
    public static func load(
        _ graph: GraphPlan, providers: [OpenProgram], options: LoadOptions
    ) throws(KernelError) -> [LoadedObject] {
        LibbpfLog.keepsDebugMessages.withLock { $0 = options.debug }
        var plans: [LinkPlan] = []
        for step in graph.steps {
            let isAlone = step.plan.isShared && Features.functionCalls() != .present
            let plan = isAlone ? step.plan.unshared() : step.plan
            try check(plan, options: options)
            plans.append(plan)
        }
        if !options.attach.isEmpty { try requireSomethingToAttach(plans) }
        let names = plans.map { $0.programNames + (options.attach.contains(.section) ? $0.object.structOpsNames : []) }
        let pins = try options.pin.map { path throws(KernelError) in try PinPath.layout(path, objects: names) } ?? [:]
        let links = options.attach.isEmpty ? [] : pins.values.map { PinPath.link(of: $0, number: 0) }
        try PinPath.prepare(pins.values.sorted() + links.sorted(), mounts: options.mounts)

        var loading = GraphLoading(providers)
        do throws(KernelError) {
            for (step, plan) in zip(graph.steps, plans) {
                let bound = try loading.bound(plan)
                loading.add(try loadReplanning(bound, in: &loading, options: options), number: step.number)
            }
            try LoadedObject.attach(loading.objects, to: options.attach)
            if !pins.isEmpty { try LoadedObject.pin(loading.objects, at: pins) }
        } catch {
            for object in loading.objects { object.removeNewMapPins() }
            throw error
        }
        return loading.objects
    }

    /// Checks that there is a program: an attached library would be a wait for nothing.
    private static func requireSomethingToAttach(_ plans: [LinkPlan]) throws(KernelError) {
        guard plans.allSatisfy(\.programs.isEmpty) else { return }
        throw KernelError(
            .attach, "nothing of \(plans.map(\.object.name).joined(separator: ", ")) can be attached",
            notes: ["a library has no program: others call its functions"],
            help: ["leave out `--attach`; `--pin PATH` or `--exec -- COMMAND` keeps a library loaded"])
    }

    /// Loads one object, with more copies if the kernel refuses what was planned.
    private static func loadReplanning(
        _ plan: LinkPlan, in loading: inout GraphLoading, options: LoadOptions
    ) throws(KernelError) -> LoadedObject {
        var plan = plan
        var refused: KernelError?
        while true {
            do throws(KernelError) {
                return try programs(of: plan, providers: try loading.slots(of: plan), options: options)
            } catch {
                guard let next = plan.replanned(after: error, carriesObject: options.carriesObject), next.refusals != plan.refusals
                else {
                    throw refused?.tellingThatTheRestIsRefused(error, for: plan)
                        ?? error.tellingWhyNothingIsCopied(for: plan).tellingWhatElseAProviderCanDo(for: plan)
                }
                if refused == nil, next.isFallback(from: plan) { refused = error }
                plan = next
            }
        }
    }

    /// Whether loading needs more of the kernel than libbpf alone would.
    private static func needsFunctionCalls(_ plan: LinkPlan, _ options: LoadOptions) -> Bool {
        !plan.providers.isEmpty || plan.syntheticEntry != nil && !plan.carriesOnly || options.exports && !plan.copiesOnly
    }

    private static func programs(
        of plan: LinkPlan, providers: [OpenProgram], options: LoadOptions
    ) throws(KernelError) -> LoadedObject {
        do throws(KernelError) {
            let maps = try CopiedMaps(plan.copies)
            guard needsFunctionCalls(plan, options) else {
                return try HandlerTable.locked { () throws(KernelError) -> LoadedObject in
                    try loadByLibbpf(plan, maps, options)
                }
            }
            return try loadInterposed(plan, providers: providers, maps: maps, options: options)
        } catch {
            throw error.namingUnboundImport(of: plan)
        }
    }

    // MARK: libbpf alone

    private static func loadByLibbpf(
        _ plan: LinkPlan, _ maps: CopiedMaps, _ options: LoadOptions
    ) throws(KernelError) -> LoadedObject {
        let object = try open(plan, maps)
        let replaced = try setReplaced(in: object, options)
        defer { withExtendedLifetime(replaced) {} }
        // libbpf asks for a log only after a failure, and writes it here; untouched pages cost nothing.
        let log = UnsafeMutableBufferPointer<CChar>.allocate(capacity: Int(UInt32.max >> 8))
        defer { log.deallocate() }
        log[0] = 0
        do throws(CallFailure) {
            for program in object.programs {
                if let type = options.type {
                    try libbpfCall { bpf_program__set_type(program, bpf_prog_type(type.program.rawValue)) }
                    try libbpfCall { bpf_program__set_expected_attach_type(program, bpf_attach_type(type.attach)) }
                }
                if options.sharesImages {
                    let flags = bpf_program__flags(program) | UInt32(BPFLINK_F_SHARE_SUBPROGS)
                    try libbpfCall { bpf_program__set_flags(program, flags) }
                }
                try libbpfCall { bpf_program__set_log_buf(program, log.baseAddress, log.count) }
            }
            let pointer = object.pointer
            try libbpfCall { bpf_object__load(pointer) }
        } catch {
            throw KernelError.notLoaded(plan.object.name, error, log: VerifierLog(text: String(cString: log.baseAddress!)))
        }
        for program in object.programs { bpf_program__set_log_buf(program, nil, 0) }
        return try LoadedObject(plan: plan, object: object, isInterposed: false, logs: [], options: options)
    }

    // MARK: bpflink in libbpf's place

    static func loadInterposed(
        _ plan: LinkPlan, providers: [OpenProgram], maps: CopiedMaps? = nil, options: LoadOptions
    ) throws(KernelError) -> LoadedObject {
        let sections = try sectionTypes(of: plan, options: options)
        let load = InterposedLoad(plan: plan, providers: providers, options: options)
        return try HandlerTable.locked { () throws(KernelError) -> LoadedObject in
            defer { load.unregister() }
            do throws(CallFailure) {
                try load.register(sections)
            } catch {
                throw KernelError(.load, "libbpf takes no handler for the sections of \(plan.object.name)", error)
            }
            let object = try open(plan, maps)
            let replaced = try setReplaced(in: object, options)
            defer { withExtendedLifetime(replaced) {} }
            do throws(CallFailure) {
                try load.setAttachTargets(in: object)
                let pointer = object.pointer
                try libbpfCall { bpf_object__load(pointer) }
                try load.takeStandInsPlaces()
            } catch {
                throw load.failure ?? KernelError.notLoaded(plan.object.name, error, log: VerifierLog(text: ""))
            }
            return try LoadedObject(plan: plan, object: object, isInterposed: true, logs: load.logs, options: options)
        }
    }

    // MARK: both

    private static func open(_ plan: LinkPlan, _ maps: CopiedMaps?) throws(KernelError) -> ObjectHandle {
        let bytes = try rewritten(plan, maps)
        let chosen = Set(plan.programNames)
        do throws(CallFailure) {
            let object = ObjectHandle(
                owning: try libbpfPointer {
                    plan.object.baseName.withCString { name in
                        var options = bpf_object_open_opts()
                        clearOptions(&options)
                        options.sz = MemoryLayout<bpf_object_open_opts>.size
                        options.object_name = name
                        return bpf_object__open_mem(bytes, bytes.count, &options)
                    }
                })
            for program in object.programs {
                let isChosen = chosen.contains(String(cString: bpf_program__name(program)))
                if isChosen != bpf_program__autoload(program) {
                    try libbpfCall { bpf_program__set_autoload(program, isChosen) }
                }
            }
            if !plan.object.structOpsNames.isEmpty { readKernelTypes(for: object) }
            return object
        } catch {
            throw KernelError(.load, "libbpf cannot open \(plan.object.name)", error, notes: error.lastWords)
        }
    }

    /// Has libbpf read the kernel's types. It does so by itself for programs that need them, but maps of functions do even where
    /// all their functions are left out, and it would end the process without.
    private static func readKernelTypes(for object: borrowing ObjectHandle) {
        guard let program = object.programs.first else { return }
        // A target that is not there leaves the program as it is; the types are read before it is looked for.
        _ = try? libbpfCall { bpf_program__set_attach_target(program, 0, "bpflink_none") }
    }

    /// Tells libbpf of which program functions are replaced, which it learns from nowhere but its caller.
    ///
    /// - Returns: that program, to be held until the object is loaded.
    private static func setReplaced(
        in object: borrowing ObjectHandle, _ options: LoadOptions
    ) throws(KernelError) -> OpenProgram? {
        let replacements = object.programs.filter { bpf_program__autoload($0) && bpf_program__type($0) == BPF_PROG_TYPE_EXT }
        guard let selector = options.replaced, !replacements.isEmpty else { return nil }
        let target = try OpenProgram.open(selector)
        for program in replacements {
            let function = SectionRules(String(cString: bpf_program__section_name(program))).target
            do throws(CallFailure) {
                try libbpfCall { bpf_program__set_attach_target(program, target.descriptor.number, function) }
            } catch {
                throw KernelError(
                    .load, "`\(function)` of \(selector.words) cannot be replaced by `\(String(cString: bpf_program__name(program)))`",
                    error, notes: error.lastWords)
            }
        }
        return target
    }

    /// The object as libbpf is to see it: calls bound, imports gone, a library with an entry program.
    private static func rewritten(_ plan: LinkPlan, _ maps: CopiedMaps?) throws(KernelError) -> [UInt8] {
        do throws(ObjectError) {
            return try plan.rewrittenObject(maps: maps?.numbers ?? [:])
        } catch {
            throw KernelError(.load, "\(plan.object.name): \(error)")
        }
    }

    /// The program type of each section that holds an entry program.
    private static func sectionTypes(
        of plan: LinkPlan, options: LoadOptions
    ) throws(KernelError) -> [String: SectionType] {
        var sections: [String: SectionType] = [:]
        if let entry = plan.syntheticEntry, let type = SectionType(section: entry.type) {
            sections[SectionType.name(of: entry.sectionName)] = type
        }
        for program in plan.programs {
            let section = program.sectionName
            guard let type = options.type ?? SectionType(section: section) else {
                throw KernelError(
                    .load, "the section `\(section)` of \(plan.object.name) names no program type",
                    help: ["`--type TYPE` tells it, in the words of section names: kprobe, xdp, cgroup_skb/ingress, …"])
            }
            try requireOwnTarget(of: program, type)
            if type.program == .replacement, options.replaced == nil {
                throw KernelError(
                    .load, "`\(program.name)` replaces a function of a loaded program, and nothing says of which",
                    errno: .invalidArgument, notes: ["its section is \(section)"],
                    help: ["`--attach=replace=REF` names the program, as `--import` does"])
            }
            sections[SectionType.name(of: section)] = type
        }
        return sections
    }

    /// Refuses another type for a program whose section names something in the kernel's BTF: libbpf would look for that by the
    /// rules of the section, in BTF that it reads only if the type asks for it, and end the process.
    private static func requireOwnTarget(of program: EntryProgram, _ type: SectionType) throws(KernelError) {
        guard let own = SectionType(section: program.sectionName)?.program, own.isBoundToBTF, own != type.program else { return }
        throw KernelError(
            .load, "`\(program.name)` cannot be of type \(type.program): its section `\(program.sectionName)` makes it \(own)",
            errno: .invalidArgument,
            notes: ["what such a section names is found in the kernel's types, by rules that hold for \(own) programs only"],
            help: ["leave out `--type`, or the program: `--except \(program.name)`"])
    }
}

extension LinkPlan {
    /// The programs that loading makes, by name.
    var programNames: [String] {
        programs.map(\.name) + (syntheticEntry.map { [$0.name] } ?? [])
    }
}

extension Object {
    /// The names of the object's maps of functions (libbpf's section `.struct_ops`).
    var structOpsNames: [String] {
        guard let section = sections.firstIndex(where: { $0.name == ".struct_ops" }) else { return [] }
        return symbols.filter { $0.kind == .object && Int($0.sectionNumber) == section }.map(\.name)
    }

    /// The file's name without directories and extensions, as libbpf would call the object.
    var baseName: String {
        let file = name.split(separator: "/").last ?? "object"
        return String(file.prefix { $0 != "." })
    }
}
