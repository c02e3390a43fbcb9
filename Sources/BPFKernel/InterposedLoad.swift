// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject
import CBPFLinkUAPI
import CLibbpf
import Glibc
import Synchronization
import SystemPackage

/// Loads the programs of a bpf_object in libbpf's place, one by one, while libbpf does everything around it.
///
/// libbpf 1.1 can neither give `fd_array_cnt` to BPF_PROG_LOAD nor keep fewer instructions than the kernel shall see. But it
/// calls a section's handler right before it loads a program, when maps are made and instructions relocated. The handler here
/// loads the real program and leaves `r0 = 0; exit` to libbpf as a stand-in. Once the object is loaded, the real descriptor
/// takes the stand-in's number (dup3(2)), so that attaching and pinning by libbpf act on the real program.
///
/// A map of programs with values (`.values = { [1] = (void *)&program }`) gets the stand-ins first, so these have to be of a type
/// that the map takes; the real programs then take their places in the map, too.
///
/// Programs that import what they share wait until its provider is loaded. That is the last program of the object, for the
/// linker adds its section behind all others, and libbpf takes programs in the order of sections.
final class InterposedLoad {
    /// What to load: the linker's plan for the object.
    let plan: LinkPlan
    /// The providers of the plan, by slot.
    let providers: [OpenProgram]
    let options: LoadOptions
    /// Why loading failed; libbpf itself only learns an error number.
    private(set) var failure: KernelError?
    /// The log of each program that was loaded, if logs were asked for.
    private(set) var logs: [VerifierLog] = []
    private var loaded: [(program: OpaquePointer, own: OwnedProgram)] = []
    /// Programs that import from the provider that is yet to be loaded.
    private var waiting: [(program: OpaquePointer, load: ProgramLoad)] = []
    private var handlers: [CInt] = []
    fileprivate var object: OpaquePointer?

    private final class OwnedProgram {
        let descriptor: ProgramDescriptor
        init(_ descriptor: consuming ProgramDescriptor) { self.descriptor = descriptor }
    }

    init(plan: LinkPlan, providers: [OpenProgram], options: LoadOptions) {
        self.plan = plan
        self.providers = providers
        self.options = options
    }

    /// Registers the handler for each section; to be called before the object is opened, within ``HandlerTable``'s lock.
    func register(_ sections: [String: SectionType]) throws(CallFailure) {
        for (section, type) in sections.sorted(by: { $0.key < $1.key }) {
            var handler = libbpf_prog_handler_opts()
            handler.sz = MemoryLayout<libbpf_prog_handler_opts>.size
            handler.cookie = Int(bitPattern: Unmanaged.passUnretained(self).toOpaque())
            handler.prog_prepare_load_fn = { program, options, cookie in
                guard let program, let options, let load = UnsafeRawPointer(bitPattern: cookie) else { return -EINVAL }
                return Unmanaged<InterposedLoad>.fromOpaque(load).takeUnretainedValue().prepare(program, &options.pointee)
            }
            handlers.append(
                try libbpfCall {
                    libbpf_register_prog_handler(
                        section, bpf_prog_type(type.program.rawValue), bpf_attach_type(type.attach), &handler)
                })
        }
    }

    /// Takes the handlers out of libbpf's table again.
    func unregister() {
        for handler in handlers.reversed() { _ = libbpf_unregister_prog_handler(handler) }
        handlers = []
    }

    /// Does what libbpf's own handlers would have done after opening: gives programs whose section names a BTF-typed target
    /// that target.
    func setAttachTargets(in object: borrowing ObjectHandle) throws(CallFailure) {
        self.object = object.pointer
        for program in object.programs where bpf_program__autoload(program) {
            let section = SectionRules(String(cString: bpf_program__section_name(program)))
            guard section.hasBTFTarget, !section.target.isEmpty else { continue }
            try libbpfCall { bpf_program__set_attach_target(program, 0, section.target) }
        }
    }

    /// Gives every real program the number of its stand-in, and its place in maps of programs.
    func takeStandInsPlaces() throws(CallFailure) {
        guard waiting.isEmpty else {
            throw CallFailure(errno: .invalidArgument, log: ["libbpf took the programs in another order than that of sections"])
        }
        var programs: [UInt32: CInt] = [:]
        for (program, own) in loaded {
            let standIn = bpf_program__fd(program)
            if !programMaps.isEmpty { programs[try ProgramInfo(descriptor: standIn).id] = standIn }
            _ = try systemCall { dup3(own.descriptor.number, standIn, O_CLOEXEC) }
        }
        loaded = []
        for map in programMaps { try replaceValues(of: map, by: programs) }
    }

    /// The object's maps of programs.
    private var programMaps: [OpaquePointer] {
        var maps: [OpaquePointer] = []
        var map: OpaquePointer?
        while let object, let next = bpf_object__next_map(object, map) {
            map = next
            if bpf_map__type(next) == BPF_MAP_TYPE_PROG_ARRAY { maps.append(next) }
        }
        return maps
    }

    /// Puts programs where their stand-ins are.
    ///
    /// - Parameter programs: descriptors of programs, by the ids of their stand-ins, which is what a look-up tells.
    private func replaceValues(of map: OpaquePointer, by programs: [UInt32: CInt]) throws(CallFailure) {
        let number = bpf_map__fd(map)
        for slot in 0..<bpf_map__max_entries(map) {
            var slot = slot
            var id: UInt32 = 0
            guard bpf_map_lookup_elem(number, &slot, &id) == 0, var program = programs[id] else { continue }
            try libbpfCall { bpf_map_update_elem(number, &slot, &program, 0) }
        }
    }

    /// libbpf's `prog_prepare_load_fn`.
    private func prepare(_ program: OpaquePointer, _ prepared: inout bpf_prog_load_opts) -> CInt {
        do throws(KernelError) {
            try load(program, prepared)
        } catch {
            failure = error
            return -(error.errno?.rawValue ?? EINVAL)
        }
        // What every program that must return a certain value may return.
        var standIn = AttachTarget.cgroupTypes.contains(bpf_program__type(program).rawValue) ? Instructions.returnOne : Instructions.returnZero
        let result = bpf_program__set_insns(program, &standIn, standIn.count)
        guard result == 0 else { return result }
        guard programMaps.isEmpty else {
            prepared.func_info_cnt = 0
            prepared.line_info_cnt = 0
            prepared.fd_array = nil
            return 0
        }
        // A socket filter needs no attach target, no BTF and no flags, whatever the real program needs.
        let size = prepared.sz
        clearOptions(&prepared)
        prepared.sz = size
        return bpf_program__set_type(program, BPF_PROG_TYPE_SOCKET_FILTER)
    }

    private func load(_ program: OpaquePointer, _ prepared: bpf_prog_load_opts) throws(KernelError) {
        let name = String(cString: bpf_program__name(program))
        let section = SectionRules(String(cString: bpf_program__section_name(program)))
        var instructions = Array(
            UnsafeBufferPointer(start: bpf_program__insns(program), count: bpf_program__insn_cnt(program)))
        let isProvider = name == plan.syntheticEntry?.name
        if isProvider { clearReferences(&instructions) }
        var load = ProgramLoad(
            type: ProgramType(rawValue: bpf_program__type(program).rawValue), name: name, license: plan.object.license ?? "",
            instructions: instructions, flags: section.flags, options: prepared, logLevel: options.logLevel)
        let exports = isProvider ? !plan.carriesOnly : options.exports && plan.refusals.exporters[name] == nil
        if exports { load.flags |= BPFLINK_F_EXPORT_SUBPROGS }
        if exports, plan.keepsBodies { load.flags |= BPFLINK_F_KEEP_SUBPROGS }
        if !exports, options.sharesImages { load.flags |= BPFLINK_F_SHARE_SUBPROGS }
        if plan.sharing.importers.contains(name) {
            waiting.append((program, load))
            return
        }
        try finish(load, of: program)
        guard isProvider, let provider = loaded.last?.own.descriptor.number else { return }
        for (program, load) in waiting { try finish(load, of: program, sharing: provider) }
        waiting = []
    }

    /// Loads a program from its providers.
    ///
    /// - Parameter shared: what is in the slot behind theirs.
    private func finish(_ prepared: ProgramLoad, of program: OpaquePointer, sharing shared: CInt? = nil) throws(KernelError) {
        var load = prepared
        let own = providers.map { $0.descriptor.number } + (shared.map { [$0] } ?? [])
        load.descriptors = try Self.resolveSlots(
            &load.instructions, own: own, kernelModules: load.options.fd_array, program: load.name)
        do throws(ProgramLoad.Refusal) {
            let outcome = try load.run()
            if !outcome.log.text.isEmpty { logs.append(outcome.log) }
            bindReadOnlyData(to: outcome.program)
            loaded.append((program, OwnedProgram(outcome.takeProgram())))
        } catch {
            throw KernelError.refused(program: load.name, type: load.type, errno: error.errno, log: error.log)
        }
    }

    /// A library's entry program refers to the functions it keeps only so that libbpf appends them to it. The kernel is not
    /// shown the references, which would be callbacks to it: each pair of slots becomes `r0 = 0; r0 = 0`.
    private func clearReferences(_ instructions: inout [bpf_insn]) {
        let count = (plan.syntheticEntry?.functions.count ?? 0) * 2
        for index in instructions.indices.prefix(count) { instructions[index] = Instructions.clearResult }
    }

    /// The descriptor table for the kernel, and the slots in the instructions adjusted to it.
    ///
    /// Where the program calls functions of kernel modules, libbpf has numbered their BTF from slot 1 on; the providers come
    /// behind these. Slot 0 then stands for vmlinux and is never looked at, but has to be a valid descriptor.
    static func resolveSlots(
        _ instructions: inout [bpf_insn], own: [CInt], kernelModules: UnsafePointer<CInt>?, program: String
    ) throws(KernelError) -> [CInt] {
        let calls = instructions.indices.filter { instructions[$0].code == UInt8(BPF_JMP | BPF_CALL) }
        let sources = [UInt8(BPFLINK_PSEUDO_PROG_CALL), UInt8(BPFLINK_PSEUDO_PROG_BODY)]
        let imports = calls.filter { sources.contains(instructions[$0].src_reg) }
        guard !imports.isEmpty else { return [] }
        let lastModule = calls.filter { instructions[$0].src_reg == UInt8(BPF_PSEUDO_KFUNC_CALL) }
            .map { Int(instructions[$0].off) }.max() ?? 0
        var table: [CInt] = []
        if lastModule > 0, let kernelModules {
            table = [own[0]] + (1...lastModule).map { kernelModules[$0] }
        }
        for index in imports {
            let slot = Int(instructions[index].off)
            guard own.indices.contains(slot), let moved = Int16(exactly: slot + table.count) else {
                throw KernelError(.load, "`\(program)` calls a function of provider \(slot), of \(own.count)")
            }
            instructions[index].off = moved
        }
        return table + own
    }

    /// libbpf binds the object's read-only data to every program, so that tools find it (BPF_PROG_BIND_MAP); the stand-in
    /// gets that, the real program needs it.
    private func bindReadOnlyData(to program: borrowing ProgramDescriptor) {
        guard let object else { return }
        var map: OpaquePointer?
        while let next = bpf_object__next_map(object, map) {
            map = next
            guard bpf_map__is_internal(next), String(cString: bpf_map__name(next)).contains(".rodata") else { continue }
            let number = program.number
            // A courtesy to tools: libbpf, too, goes on if the kernel refuses.
            _ = try? libbpfCall { bpf_prog_bind_map(number, bpf_map__fd(next), nil) }
        }
    }
}

/// libbpf keeps section handlers in one table for the whole process, without locks: whatever reads or changes it takes turns.
/// An object must not be opened while another one's handlers are there: it would get them, too.
enum HandlerTable {
    private static let turn = Mutex(())

    /// libbpf before 1.3 frees the table when its last handler goes, and uses it again afterwards ("libbpf: Fix realloc API
    /// handling in zero-sized edge cases"). A handler for a section that no object has keeps it from becoming empty.
    private static let sentinel: Void = {
        var handler = libbpf_prog_handler_opts()
        handler.sz = MemoryLayout<libbpf_prog_handler_opts>.size
        _ = LibbpfLog.capture {
            _ = libbpf_register_prog_handler("bpflink/none", BPF_PROG_TYPE_UNSPEC, bpf_attach_type(0), &handler)
        }
    }()

    static func locked<Result>(_ body: () throws(KernelError) -> Result) throws(KernelError) -> Result {
        try turn.withLock { _ throws(KernelError) -> Result in
            sentinel
            return try body()
        }
    }
}

/// A section name, taken apart: `fentry.s/do_unlinkat` is a sleepable `fentry` with the target `do_unlinkat`.
struct SectionRules {
    let kind: String
    let target: String

    init(_ name: String) {
        let name = SectionType.name(of: name)
        let slash = name.firstIndex(of: "/") ?? name.endIndex
        kind = String(name[..<slash])
        target = slash == name.endIndex ? "" : String(name[name.index(after: slash)...])
    }

    private static let btfTargetKinds: Set<String> = ["fentry", "fexit", "fmod_ret", "tp_btf", "lsm", "lsm_cgroup", "iter"]

    /// Whether the target is a kernel function or tracepoint that the kernel wants as a BTF id when the program is loaded.
    var hasBTFTarget: Bool {
        Self.btfTargetKinds.contains(isSleepable && kind.hasSuffix(".s") ? String(kind.dropLast(2)) : kind)
    }

    /// Sections that libbpf loads with BPF_F_SLEEPABLE.
    var isSleepable: Bool { kind.hasSuffix(".s") || kind == "syscall" }

    /// The `prog_flags` that the section name stands for.
    var flags: UInt32 {
        var flags: UInt32 = 0
        if isSleepable { flags |= UInt32(BPF_F_SLEEPABLE) }
        if kind == "xdp.frags" { flags |= UInt32(BPF_F_XDP_HAS_FRAGS) }
        return flags
    }
}
