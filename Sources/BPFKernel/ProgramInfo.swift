// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

public import BPFLinker
import CBPFLinkUAPI
import CLibbpf

/// What the kernel tells of one program (`struct bpf_prog_info`, BPF_OBJ_GET_INFO_BY_FD).
public struct ProgramInfo: Sendable, Equatable {
    /// An export: a subprogram that other programs may import.
    public struct Export: Sendable, Equatable {
        /// BTF id of the FUNC in the program's own BTF.
        public var typeID: UInt32
        /// Index into ``functions``, ``jitedSymbols`` and ``jitedLengths``.
        public var functionIndex: Int
        /// Bytes of BPF stack of the deepest call chain below, the export's own included.
        public var stackDepth: Int
        /// Native frames of the deepest call chain below, the export's own included.
        public var frames: Int
    }

    /// An import: a function of another program that this one calls.
    public struct Import: Sendable, Hashable {
        /// The provider's id.
        public var programID: UInt32
        /// BTF id of the FUNC in the provider's BTF.
        public var typeID: UInt32
        /// Index into the provider's ``ProgramInfo/environments``; nil if the importer runs the function as it was loaded.
        public var environment: Int?
        /// When the function was verified: before, against its contract, or with the program.
        public var verification: Verification
        /// The native code that is called; nil if the kernel tells nothing of it.
        public var image: Image?

        public init(
            programID: UInt32, typeID: UInt32, environment: Int? = nil, verification: Verification = .once, image: Image? = nil
        ) {
            self.programID = programID
            self.typeID = typeID
            self.environment = environment
            self.verification = verification
            self.image = image
        }
    }

    /// Native code of a function, which several programs may have.
    public struct Image: Sendable, Hashable {
        /// nil without the right to see kernel addresses.
        public var address: UInt64?
        /// Bytes.
        public var length: Int
        /// How many programs have it as a part of themselves; nil if it cannot be shared, or is that of an export, which importers only
        /// call.
        public var programs: Int?

        public init(address: UInt64?, length: Int, programs: Int?) {
            self.address = address
            self.length = length
            self.programs = programs
        }
    }

    /// A kind of program, other than the provider itself, that an export was verified for when such a program imported it first.
    public struct Environment: Sendable, Hashable {
        /// Index into ``ProgramInfo/exports``.
        public var export: Int
        public var type: ProgramType
        /// `enum bpf_attach_type` of the importers, 0 where their type has none.
        public var attachType: UInt32
        /// The kernel type that the importers attach to by BTF id; 0 for other programs.
        public var attachTypeID: UInt32
        public var flags: Flags
        /// The errno with which the kernel refused the export, 0 if it is valid there.
        public var error: CInt
        /// Instructions that the verifier walked through, once for all importers of the kind.
        public var verifiedInstructions: UInt32
        /// Nanoseconds that took.
        public var verificationTime: UInt64
        /// Bytes of native code made for it; 0 if the importers call the provider's code.
        public var ownCodeLength: Int
        /// Bytes of kernel memory kept for it, code included.
        public var size: Int

        /// `BPF_PROG_ENV_*`: what else of the importer decided about the verification.
        public struct Flags: OptionSet, Sendable, Hashable {
            public var rawValue: UInt32
            public init(rawValue: UInt32) { self.rawValue = rawValue }
            public static let sleepable = Flags(rawValue: UInt32(BPFLINK_ENVIRONMENT_SLEEPABLE))
            public static let gpl = Flags(rawValue: UInt32(BPFLINK_ENVIRONMENT_GPL))
            public static let frames = Flags(rawValue: UInt32(BPFLINK_ENVIRONMENT_XDP_FRAGS))
            public static let strictAlignment = Flags(rawValue: UInt32(BPFLINK_ENVIRONMENT_STRICT_ALIGNMENT))
            public static let pointerLeaks = Flags(rawValue: UInt32(BPFLINK_ENVIRONMENT_PTR_LEAKS))
            public static let uninitializedStack = Flags(rawValue: UInt32(BPFLINK_ENVIRONMENT_UNINIT_STACK))
            public static let bypassesSpectreV1 = Flags(rawValue: UInt32(BPFLINK_ENVIRONMENT_BYPASS_SPEC_V1))
            public static let bypassesSpectreV4 = Flags(rawValue: UInt32(BPFLINK_ENVIRONMENT_BYPASS_SPEC_V4))
            public static let perfmon = Flags(rawValue: UInt32(BPFLINK_ENVIRONMENT_CAP_PERFMON))
            public static let netAdmin = Flags(rawValue: UInt32(BPFLINK_ENVIRONMENT_CAP_NET_ADMIN))
            public static let sysAdmin = Flags(rawValue: UInt32(BPFLINK_ENVIRONMENT_CAP_SYS_ADMIN))
        }
    }

    /// A function of the program: its entry function or a subprogram.
    public struct Function: Sendable, Equatable {
        /// The function's first instruction, counted in instructions from the program's start as it was loaded.
        public var instructionOffset: Int
        /// BTF id of the FUNC in the program's own BTF.
        public var typeID: UInt32
    }

    public var id: UInt32
    public var type: ProgramType
    /// Up to 15 bytes of the entry function's name.
    public var name: String
    /// SHA-1 digest of the instructions, truncated to 8 bytes, in hexadecimal.
    public var tag: String
    /// Nanoseconds from boot to the program's load.
    public var loadTime: UInt64
    public var userID: UInt32
    public var gplCompatible: Bool
    public var mapIDs: [UInt32]
    /// The id of the program's BTF, nil if it was loaded without.
    public var btfID: UInt32?
    /// The kernel type that the program is attached to by BTF id (fentry, tp_btf, iter, lsm, …); 0 for other programs.
    public var attachTypeID: UInt32
    /// Bytes of native code.
    public var jitedLength: Int
    /// Bytes of BPF instructions after the verifier's rewrites.
    public var translatedLength: Int
    /// Instructions that the verifier walked through when it loaded the program.
    public var verifiedInstructions: UInt32
    /// Native addresses, one per function; zero or empty without the right to see kernel addresses.
    public var jitedSymbols: [UInt64]
    /// Bytes of native code, one per function.
    public var jitedLengths: [UInt32]
    public var functions: [Function]
    /// Empty on kernels without FD + name calls.
    public var exports: [Export]
    /// Empty on kernels without FD + name calls.
    public var imports: [Import]
    /// BTF ids of the functions that are kept, to be verified with importers; empty on kernels that cannot do that.
    public var bodies: [UInt32]
    /// The kinds of programs that exports were verified for since the program was loaded, in that order.
    public var environments: [Environment]
    /// Bytes of kernel memory that the program takes because others may import from it.
    public var exportsSize: Int

    /// Whether it imports the function of a BTF id from a program, verified for whatever environment.
    public func imports(_ typeID: UInt32, from provider: UInt32) -> Bool {
        !imports(of: typeID, from: provider).isEmpty
    }

    /// The imports of the function of a BTF id from a program: one for each way in which it was verified.
    public func imports(of typeID: UInt32, from provider: UInt32) -> [Import] {
        imports.filter { $0.programID == provider && $0.typeID == typeID }
    }

    /// Asks the kernel about a program.
    ///
    /// - Throws: ``CallFailure`` with `EINVAL` if the descriptor is not a program's, `EBADF` if it is not a BPF object's.
    public init(of program: borrowing ProgramDescriptor) throws(CallFailure) {
        try self.init(descriptor: program.number)
    }

    init(descriptor: CInt) throws(CallFailure) {
        // The first call tells how long the arrays are, the second fills them.
        let lengths = try Self.call(descriptor, bpflink_prog_info())
        var mapIDs = [UInt32](repeating: 0, count: Int(lengths.nr_map_ids))
        var symbols = [UInt64](repeating: 0, count: Int(lengths.nr_jited_ksyms))
        var codeLengths = [UInt32](repeating: 0, count: Int(lengths.nr_jited_func_lens))
        var functions = RecordArray(count: lengths.nr_func_info, size: lengths.func_info_rec_size)
        var exports = RecordArray(count: lengths.nr_exports, size: lengths.export_rec_size)
        var imports = RecordArray(count: lengths.nr_imports, size: lengths.import_rec_size)
        var environments = RecordArray(count: lengths.nr_environments, size: lengths.environment_rec_size)
        var bodies = [UInt32](repeating: 0, count: Int(lengths.nr_bodies))

        var request = bpflink_prog_info()
        request.nr_map_ids = lengths.nr_map_ids
        request.nr_jited_ksyms = lengths.nr_jited_ksyms
        request.nr_jited_func_lens = lengths.nr_jited_func_lens
        request.nr_func_info = lengths.nr_func_info
        request.func_info_rec_size = lengths.func_info_rec_size
        request.nr_exports = lengths.nr_exports
        request.export_rec_size = lengths.export_rec_size
        request.nr_imports = lengths.nr_imports
        request.import_rec_size = lengths.import_rec_size
        request.nr_environments = lengths.nr_environments
        request.environment_rec_size = lengths.environment_rec_size
        request.nr_bodies = lengths.nr_bodies
        var answer: Result<bpflink_prog_info, CallFailure> = .success(request)
        mapIDs.withUnsafeMutableBytes { mapIDs in
            symbols.withUnsafeMutableBytes { symbols in
                codeLengths.withUnsafeMutableBytes { codeLengths in
                    functions.bytes.withUnsafeMutableBytes { functions in
                        exports.bytes.withUnsafeMutableBytes { exports in
                            imports.bytes.withUnsafeMutableBytes { imports in
                                environments.bytes.withUnsafeMutableBytes { environments in
                                    bodies.withUnsafeMutableBytes { bodies in
                                        request.map_ids = Self.address(mapIDs)
                                        request.jited_ksyms = Self.address(symbols)
                                        request.jited_func_lens = Self.address(codeLengths)
                                        request.func_info = Self.address(functions)
                                        request.exports = Self.address(exports)
                                        request.imports = Self.address(imports)
                                        request.environments = Self.address(environments)
                                        request.bodies = Self.address(bodies)
                                        answer = Result { () throws(CallFailure) in try Self.call(descriptor, request) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
        let info = try answer.get()

        self.id = info.id
        self.type = ProgramType(rawValue: info.type)
        self.name = withUnsafeBytes(of: info.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        self.tag = withUnsafeBytes(of: info.tag) { $0.reduce(into: "") { $0 += Self.hexadecimal($1) } }
        self.loadTime = info.load_time
        self.userID = info.created_by_uid
        self.gplCompatible = info.gpl_compatible & 1 == 1
        self.mapIDs = Array(mapIDs.prefix(Int(info.nr_map_ids)))
        self.btfID = info.btf_id == 0 ? nil : info.btf_id
        self.attachTypeID = info.attach_btf_id
        self.jitedLength = Int(info.jited_prog_len)
        self.translatedLength = Int(info.xlated_prog_len)
        self.verifiedInstructions = info.verified_insns
        self.jitedSymbols = Array(symbols.prefix(Int(info.nr_jited_ksyms)))
        self.jitedLengths = Array(codeLengths.prefix(Int(info.nr_jited_func_lens)))
        self.functions = functions.records(info.nr_func_info, as: bpf_func_info.self).map {
            Function(instructionOffset: Int($0.insn_off), typeID: $0.type_id)
        }
        self.exports = exports.records(info.nr_exports, as: bpflink_prog_export.self).map {
            Export(
                typeID: $0.type_id, functionIndex: Int($0.func_idx), stackDepth: Int($0.stack_depth), frames: Int($0.nr_frames))
        }
        self.imports = imports.records(info.nr_imports, as: bpflink_prog_import.self).map {
            let isBody = $0.flags & UInt32(BPFLINK_IMPORT_BODY) != 0
            let image = Image(
                address: $0.addr == 0 ? nil : $0.addr, length: Int($0.jited_len),
                programs: isBody && $0.nr_programs != 0 ? Int($0.nr_programs) : nil)
            return Import(
                programID: $0.prog_id, typeID: $0.type_id, environment: $0.environment == 0 ? nil : Int($0.environment) - 1,
                verification: isBody ? .chain : .once, image: $0.jited_len == 0 ? nil : image)
        }
        self.bodies = Array(bodies.prefix(Int(info.nr_bodies)))
        self.environments = environments.records(info.nr_environments, as: bpflink_prog_environment.self).map {
            Environment(
                export: Int($0.export_idx), type: ProgramType(rawValue: $0.prog_type), attachType: $0.expected_attach_type,
                attachTypeID: $0.attach_btf_id, flags: Environment.Flags(rawValue: $0.flags), error: -$0.err,
                verifiedInstructions: $0.verified_insns, verificationTime: $0.verification_time,
                ownCodeLength: Int($0.jited_len), size: Int($0.size))
        }
        self.exportsSize = Int(info.exports_size)
    }

    /// The program's instructions after the verifier's rewrites, as bytes; empty without the right to see them.
    ///
    /// - Throws: ``CallFailure`` as ``init(of:)``.
    public static func translatedInstructions(of program: borrowing ProgramDescriptor) throws(CallFailure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(try call(program.number, bpflink_prog_info()).xlated_prog_len))
        var request = bpflink_prog_info()
        request.xlated_prog_len = UInt32(bytes.count)
        var answer: Result<bpflink_prog_info, CallFailure> = .success(request)
        bytes.withUnsafeMutableBytes { bytes in
            request.xlated_prog_insns = address(bytes)
            answer = Result { () throws(CallFailure) in try call(program.number, request) }
        }
        return try answer.get().xlated_prog_insns == 0 ? [] : bytes
    }

    /// The program's native code, as bytes; empty without the right to see it.
    ///
    /// - Throws: ``CallFailure`` as ``init(of:)``.
    public static func nativeCode(of program: borrowing ProgramDescriptor) throws(CallFailure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(try call(program.number, bpflink_prog_info()).jited_prog_len))
        var request = bpflink_prog_info()
        request.jited_prog_len = UInt32(bytes.count)
        var answer: Result<bpflink_prog_info, CallFailure> = .success(request)
        bytes.withUnsafeMutableBytes { bytes in
            request.jited_prog_insns = address(bytes)
            answer = Result { () throws(CallFailure) in try call(program.number, request) }
        }
        return try answer.get().jited_prog_insns == 0 ? [] : bytes
    }

    /// An array of records whose size the kernel chooses.
    private struct RecordArray {
        var bytes: [UInt8]
        var size: Int

        init(count: UInt32, size: UInt32) {
            self.bytes = [UInt8](repeating: 0, count: Int(count) * Int(size))
            self.size = Int(size)
        }

        /// The first `count` records, read as far as this build knows them; records shorter than that have zeroes at the end.
        func records<Record: BitwiseCopyable>(_ count: UInt32, as type: Record.Type) -> [Record] {
            guard size > 0 else { return [] }
            return (0..<min(Int(count), bytes.count / size)).map { index in
                withUnsafeTemporaryAllocation(of: Record.self, capacity: 1) { record in
                    let target = UnsafeMutableRawBufferPointer(record)
                    target.initializeMemory(as: UInt8.self, repeating: 0)
                    target.copyBytes(from: bytes[index * size..<index * size + min(size, target.count)])
                    return record[0]
                }
            }
        }
    }

    private static func call(_ descriptor: CInt, _ request: bpflink_prog_info) throws(CallFailure) -> bpflink_prog_info {
        var info = request
        var size = UInt32(MemoryLayout<bpflink_prog_info>.size)
        try libbpfCall { bpf_obj_get_info_by_fd(descriptor, &info, &size) }
        return info
    }

    private static func address(_ buffer: UnsafeMutableRawBufferPointer) -> UInt64 {
        buffer.isEmpty ? 0 : UInt64(UInt(bitPattern: buffer.baseAddress))
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
