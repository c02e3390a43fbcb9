// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import CLibbpf
import Glibc
import SystemPackage

/// The single owner of a file descriptor that names a kernel BPF object; closing it drops one reference to the object.
///
/// `Kind` only keeps descriptors of different objects apart: the kernel gives all of them plain numbers.
public struct Descriptor<Kind>: ~Copyable, Sendable {
    /// The number, to be lent to calls; it stays valid as long as the owner lives.
    public let number: CInt

    init(owning number: CInt) {
        self.number = number
    }

    deinit {
        _ = close(number)
    }
}

/// Marks for ``Descriptor``.
public enum ProgramKind {}
/// Marks for ``Descriptor``: anything else.
enum AnyKind {}

/// A loaded program.
public typealias ProgramDescriptor = Descriptor<ProgramKind>
/// A link, or a directory that a call wants by descriptor.
typealias AnyDescriptor = Descriptor<AnyKind>

/// The single owner of libbpf's `struct bpf_object`: the maps and programs of one ELF file.
struct ObjectHandle: ~Copyable {
    let pointer: OpaquePointer
    /// Where libbpf will pin maps by their names that are not pinned there yet.
    let newMapPins: [String]

    init(owning pointer: OpaquePointer) {
        self.pointer = pointer
        newMapPins = Self.maps(of: pointer).compactMap { bpf_map__pin_path($0).map { String(cString: $0) } }
            .filter { !PinPath.exists($0) }
    }

    deinit {
        bpf_object__close(pointer)
    }

    /// The object's entry programs, in the order libbpf found them.
    var programs: [OpaquePointer] {
        var programs: [OpaquePointer] = []
        while let next = bpf_object__next_program(pointer, programs.last) {
            programs.append(next)
        }
        return programs
    }

    /// The object's maps, those that libbpf makes for data sections included.
    var maps: [OpaquePointer] { Self.maps(of: pointer) }

    private static func maps(of pointer: OpaquePointer) -> [OpaquePointer] {
        var maps: [OpaquePointer] = []
        while let next = bpf_object__next_map(pointer, maps.last) {
            maps.append(next)
        }
        return maps
    }
}

/// The single owner of libbpf's `struct btf`: BTF read back from the kernel.
struct BTFHandle: ~Copyable {
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        btf__free(pointer)
    }

    /// The whole BTF blob, header first.
    var bytes: [UInt8] {
        var size: UInt32 = 0
        guard let data = btf__raw_data(pointer, &size) else { return [] }
        return Array(UnsafeRawBufferPointer(start: data, count: Int(size)))
    }
}
