// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import CBPFLinkUAPI
import CLibbpf
import Glibc

/// A program made by hand and given to BPF_PROG_LOAD as it is: neither the compiler, nor libbpf, nor bpflink has a say.
struct RawProgram {
    /// BPF_PROG_LOAD failed.
    struct Refusal: Error, CustomStringConvertible {
        let error: CInt
        let log: String

        var description: String { "\(String(cString: strerror(error))) (\(error)); log:\n\(log)" }
    }

    var type = BPF_PROG_TYPE_SOCKET_FILTER
    var name = "raw"
    var license = "GPL"
    var instructions: [bpf_insn] = []
    var flags: UInt32 = 0
    var attachType: UInt32 = 0
    var attachTypeID: UInt32 = 0
    var attachProgram: CInt = 0
    var interface: UInt32 = 0
    /// `fd_array`.
    var slots: [any SlotContent] = []
    /// `fd_array_cnt`, if not the number of slots.
    var slotCount: UInt32?
    var types: TypeTable?
    /// Whether each instruction has a line, an empty one.
    var hasLines = false
    /// For how many instructions behind the last there are lines as well.
    var strayLines = 0
    /// Where functions begin, and their types.
    var functions: [(start: UInt32, type: UInt32)] = []

    /// A filter that does nothing but end with 0.
    static var nothing: RawProgram { RawProgram(instructions: [.set(0, 0), .exit]) }

    /// A provider whose entry function does nothing.
    static func library(_ name: String = "lib", type: bpf_prog_type = BPF_PROG_TYPE_SOCKET_FILTER) throws -> RawProgram {
        var program = try RawProgram.typed(name, type: type)
        program.flags = BPFLINK_F_EXPORT_SUBPROGS | (Mode.verification == .chain ? BPFLINK_F_KEEP_SUBPROGS : 0)
        program.instructions = nothing.instructions
        return program
    }

    /// A program with type information, for now of its entry function only.
    static func typed(_ name: String = "raw", type: bpf_prog_type = BPF_PROG_TYPE_SOCKET_FILTER) throws -> RawProgram {
        let types = try TypeTable()
        let context = try types.pointer(to: 0)
        var program = RawProgram()
        program.name = name
        program.type = type
        program.types = types
        program.functions = [(0, try types.function("entry", [context], returns: types.int))]
        return program
    }

    /// Adds a function behind all others.
    mutating func add(
        _ name: String, taking parameters: [UInt32] = [], returns: UInt32? = nil,
        linkage: btf_func_linkage = BTF_FUNC_GLOBAL, _ body: [bpf_insn]
    ) throws {
        let types = try require(types, "a program without types has no functions")
        let type = try types.function(name, parameters, returns: returns ?? types.int, linkage: linkage)
        functions.append((UInt32(instructions.count), type))
        instructions += body
    }

    /// Declares an import.
    ///
    /// - Returns: what calls carry as immediate.
    func extern(_ name: String, _ parameters: [UInt32] = [], returns: UInt32? = nil) throws -> Int32 {
        let types = try require(types, "a program without types has no imports")
        return Int32(try types.function(name, parameters, returns: returns ?? types.int, linkage: BTF_FUNC_EXTERN))
    }

    /// - Throws: ``Refusal`` with the verifier's log.
    func load() throws -> OwnedDescriptor { try loadWithLog().program }

    /// - Parameters:
    ///   - level: the log's level; the log of a program that is accepted is empty at level 0.
    ///   - size: the bytes that there are for it.
    func loadWithLog(level: UInt32 = 1, size: Int = 1 << 20) throws -> (program: OwnedDescriptor, log: String) {
        let btf = try types?.load()
        var log = [UInt8](repeating: 0, count: size)
        var attributes = bpflink_prog_load_attr()
        attributes.prog_type = type.rawValue
        attributes.prog_flags = flags
        attributes.expected_attach_type = attachType
        attributes.attach_btf_id = attachTypeID
        attributes.attach_prog_or_btf_obj_fd = UInt32(attachProgram)
        attributes.prog_ifindex = interface
        attributes.prog_btf_fd = UInt32(btf?.number ?? 0)
        attributes.fd_array_cnt = slotCount ?? UInt32(self.slots.count)
        attributes.log_level = level
        withUnsafeMutableBytes(of: &attributes.prog_name) { bytes in
            for (index, byte) in name.utf8.prefix(bytes.count - 1).enumerated() { bytes[index] = byte }
        }
        let slots = slots.map(\.number)
        let records = functions.map { bpf_func_info(insn_off: $0.start, type_id: $0.type) }
        // The second half of a wide instruction has no code, and no line.
        let coded = instructions.indices.filter { hasLines && instructions[$0].code != 0 }
        let lines = (coded + (instructions.count..<instructions.count + strayLines)).map {
            bpf_line_info(insn_off: UInt32($0), file_name_off: 0, line_off: 0, line_col: 0)
        }
        let result = license.withCString { license in
            instructions.withUnsafeBytes { instructions in
                slots.withUnsafeBytes { slots in
                    records.withUnsafeBytes { records in
                        lines.withUnsafeBytes { lines in
                            log.withUnsafeMutableBytes { log in
                                attributes.license = Self.address(license)
                                attributes.insns = Self.address(instructions.baseAddress)
                                attributes.insn_cnt = UInt32(instructions.count / MemoryLayout<bpf_insn>.stride)
                                attributes.fd_array = slots.isEmpty ? 0 : Self.address(slots.baseAddress)
                                attributes.func_info = records.isEmpty ? 0 : Self.address(records.baseAddress)
                                attributes.func_info_cnt = btf == nil ? 0 : UInt32(functions.count)
                                attributes.func_info_rec_size = btf == nil ? 0 : UInt32(MemoryLayout<bpf_func_info>.size)
                                attributes.line_info = lines.isEmpty ? 0 : Self.address(lines.baseAddress)
                                attributes.line_info_cnt = UInt32(lines.count / MemoryLayout<bpf_line_info>.size)
                                attributes.line_info_rec_size = lines.isEmpty ? 0 : UInt32(MemoryLayout<bpf_line_info>.size)
                                if level > 0 {
                                    attributes.log_buf = Self.address(log.baseAddress)
                                    attributes.log_size = UInt32(log.count)
                                }
                                return Self.call(BPF_PROG_LOAD, &attributes)
                            }
                        }
                    }
                }
            }
        }
        let text = String(decoding: log.prefix { $0 != 0 }, as: UTF8.self)
        guard result >= 0 else { throw Refusal(error: -result, log: text) }
        return (try OwnedDescriptor(result, "program"), text)
    }

    /// bpf(2).
    ///
    /// - Returns: a negative error number on failure.
    static func call<Attributes: BitwiseCopyable>(_ command: bpf_cmd, _ attributes: inout Attributes) -> CInt {
        let result = clibbpf_bpf(CInt(command.rawValue), &attributes, UInt32(MemoryLayout<Attributes>.size))
        let error = errno
        return result < 0 ? -error : CInt(result)
    }

    private static func address(_ pointer: UnsafeRawPointer?) -> UInt64 { UInt64(UInt(bitPattern: pointer)) }
}
