// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CBPFLinkUAPI
import CLibbpf
import Glibc
import SystemPackage

/// One BPF_PROG_LOAD, made by bpflink itself: libbpf 1.1 has no way to give `fd_array_cnt`, through which providers are found.
struct ProgramLoad {
    var type: ProgramType
    /// The program's name; the kernel keeps 15 bytes of it.
    var name: String
    var license: String
    var instructions: [bpf_insn]
    var flags: UInt32 = 0
    /// The descriptors that instructions refer to by slot; all are resolved once, before verification.
    var descriptors: [CInt] = []
    /// Everything else, as libbpf prepared it: BTF, func_info, line_info, attach target.
    var options = bpf_prog_load_opts()
    /// Log level, as in `bpf_attr.log_level`; 0 asks for a log only after a failure.
    var logLevel: UInt32 = 0

    /// A program that was loaded.
    struct Outcome: ~Copyable {
        let program: ProgramDescriptor
        /// Empty at log level 0.
        let log: VerifierLog

        consuming func takeProgram() -> ProgramDescriptor { program }
    }

    /// A program that was not loaded.
    struct Refusal: Error {
        var errno: Errno
        var log: VerifierLog
    }

    /// Loads the program; on failure once more with the verifier's log, in a buffer that grows until the log fits.
    ///
    /// - Parameter isVerbose: whether a failure needs the log.
    /// - Throws: ``Refusal`` with the error of the last attempt.
    func run(isVerbose: Bool = true) throws(Refusal) -> Outcome {
        if logLevel == 0 {
            switch attempt(log: UnsafeMutableBufferPointer(start: nil, count: 0), level: 0) {
            case .success(let number): return Outcome(program: Descriptor(owning: number), log: VerifierLog(text: ""))
            case .failure(let error) where !isVerbose: throw Refusal(errno: error, log: VerifierLog(text: ""))
            case .failure: break
            }
        }
        var size = 1 << 16
        while true {
            let buffer = UnsafeMutableBufferPointer<CChar>.allocate(capacity: size)
            defer { buffer.deallocate() }
            buffer[0] = 0
            let result = attempt(log: buffer, level: max(logLevel, 1))
            let log = VerifierLog(text: String(cString: buffer.baseAddress!))
            switch result {
            case .success(let number):
                return Outcome(program: Descriptor(owning: number), log: log)
            case .failure(.noSpace) where size < Self.largestLog:
                size = min(size * 8, Self.largestLog)
            case .failure(let error):
                throw Refusal(errno: error, log: log)
            }
        }
    }

    /// `bpf_verifier_log_attr_valid()` in kernel/bpf/log.c takes buffers of up to UINT_MAX >> 2 bytes.
    private static let largestLog = Int(UInt32.max >> 2)

    /// The kernel may ask to try again while a module loads or a signal is pending (EAGAIN); libbpf tries five times as well.
    private static let attempts = 5

    private func attempt(log: UnsafeMutableBufferPointer<CChar>, level: UInt32) -> Result<CInt, Errno> {
        var attributes = bpflink_prog_load_attr()
        attributes.prog_type = type.rawValue
        attributes.prog_flags = flags | options.prog_flags
        attributes.kern_version = options.kern_version
        attributes.prog_ifindex = options.prog_ifindex
        attributes.expected_attach_type = options.expected_attach_type.rawValue
        attributes.prog_btf_fd = options.prog_btf_fd
        attributes.func_info = Self.address(options.func_info)
        attributes.func_info_cnt = options.func_info_cnt
        attributes.func_info_rec_size = options.func_info_rec_size
        attributes.line_info = Self.address(options.line_info)
        attributes.line_info_cnt = options.line_info_cnt
        attributes.line_info_rec_size = options.line_info_rec_size
        attributes.attach_btf_id = options.attach_btf_id
        attributes.attach_prog_or_btf_obj_fd =
            options.attach_prog_fd != 0 ? options.attach_prog_fd : options.attach_btf_obj_fd
        attributes.log_level = level
        attributes.log_size = UInt32(log.count)
        attributes.log_buf = Self.address(log.baseAddress)
        withUnsafeMutableBytes(of: &attributes.prog_name) { bytes in
            for (index, byte) in name.utf8.prefix(bytes.count - 1).enumerated() { bytes[index] = byte }
        }
        return license.withCString { license in
            instructions.withUnsafeBufferPointer { instructions in
                descriptors.withUnsafeBufferPointer { descriptors in
                    attributes.license = Self.address(license)
                    attributes.insns = Self.address(instructions.baseAddress)
                    attributes.insn_cnt = UInt32(instructions.count)
                    if descriptors.isEmpty {
                        attributes.fd_array = Self.address(options.fd_array)
                    } else {
                        attributes.fd_array = Self.address(descriptors.baseAddress)
                        attributes.fd_array_cnt = UInt32(descriptors.count)
                    }
                    return Self.load(&attributes)
                }
            }
        }
    }

    private static func load(_ attributes: inout bpflink_prog_load_attr) -> Result<CInt, Errno> {
        for _ in 1..<attempts {
            let result = load(once: &attributes)
            guard case .failure(.resourceTemporarilyUnavailable) = result else { return result }
        }
        return load(once: &attributes)
    }

    private static func load(once attributes: inout bpflink_prog_load_attr) -> Result<CInt, Errno> {
        let size = UInt32(MemoryLayout<bpflink_prog_load_attr>.size)
        let result = clibbpf_bpf(CInt(BPF_PROG_LOAD.rawValue), &attributes, size)
        let error = errno
        return result >= 0 ? .success(CInt(result)) : .failure(Errno(rawValue: error))
    }

    private static func address(_ pointer: UnsafeRawPointer?) -> UInt64 {
        UInt64(UInt(bitPattern: pointer))
    }
}

/// The two instructions bpflink writes itself (include/uapi/linux/bpf.h, Documentation/bpf/standardization/instruction-set.rst).
enum Instructions {
    /// `r0 = 0`
    static let clearResult = bpf_insn(code: UInt8(BPF_ALU64 | BPF_MOV), dst_reg: 0, src_reg: 0, off: 0, imm: 0)
    /// `exit`
    static let exit = bpf_insn(code: UInt8(BPF_JMP | BPF_EXIT), dst_reg: 0, src_reg: 0, off: 0, imm: 0)
    /// The smallest program there is.
    static let returnZero = [clearResult, exit]
    /// `r0 = 1; exit`
    static let returnOne = [bpf_insn(code: UInt8(BPF_ALU64 | BPF_MOV), dst_reg: 0, src_reg: 0, off: 0, imm: 1), exit]
}
