// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFObject
import CLibbpf
import Glibc

/// Types of a BTF as C, by libbpf's `btf_dump`: each behind those it needs, with the layout that the BTF states.
struct TypeDump {
    /// One definition or declaration, without an empty line in or behind it.
    let blocks: [String]

    /// - Parameters:
    ///   - types: what to write, with all that it needs.
    ///   - bytes: a BTF that has been read already.
    init(_ types: [TypeID], of bytes: [UInt8]) throws(CallFailure) {
        let btf = BTFHandle(owning: try libbpfPointer { btf__new(bytes, UInt32(clamping: bytes.count)) })
        let sink = Sink()
        let dump = DumpHandle(
            owning: try libbpfPointer {
                btf_dump__new(btf.pointer, Sink.write, Unmanaged.passUnretained(sink).toOpaque(), nil)
            })
        for type in types {
            let pointer = dump.pointer
            try libbpfCall { btf_dump__dump_type(pointer, type.value) }
        }
        blocks = withExtendedLifetime(sink) {
            sink.text.split(separator: "\n\n").map { String($0).trimmingLineEnds }.filter { !$0.isEmpty }
        }
    }

    private final class Sink {
        var text = ""

        static let write: btf_dump_printf_fn_t = { sink, format, arguments in
            guard let sink, let format, let arguments else { return }
            let length = clibbpf_format(nil, 0, format, arguments)
            guard length > 0 else { return }
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(length) + 1) { words in
                _ = clibbpf_format(words.baseAddress, words.count, format, arguments)
                Unmanaged<Sink>.fromOpaque(sink).takeUnretainedValue().text += String(cString: words.baseAddress!)
            }
        }
    }
}

/// The single owner of libbpf's `struct btf_dump`.
private struct DumpHandle: ~Copyable {
    let pointer: OpaquePointer

    init(owning pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        btf_dump__free(pointer)
    }
}

/// The names of the running kernel's types, which `vmlinux.h` defines.
public struct KernelTypeNames: ~Copyable {
    /// `BTF_KIND_ENUM64`, which older `<linux/btf.h>` lack and `<bpf/btf.h>` then defines.
    private static let wideEnumeration: UInt32 = 19

    private let btf: BTFHandle?

    /// Reads them; a kernel without BTF has none.
    public static func ofRunningKernel() -> KernelTypeNames {
        KernelTypeNames(btf: try? BTFHandle(owning: libbpfPointer { btf__load_vmlinux_btf() }))
    }

    /// No names.
    public static func none() -> KernelTypeNames { KernelTypeNames(btf: nil) }

    private init(btf: consuming BTFHandle?) { self.btf = btf }

    /// Whether the kernel has a struct, union, enum or typedef of a name.
    func contains(_ keyword: String, _ name: String) -> Bool {
        let kinds: [String: [UInt32]] = [
            "struct": [UInt32(BTF_KIND_STRUCT)], "union": [UInt32(BTF_KIND_UNION)],
            "enum": [UInt32(BTF_KIND_ENUM), Self.wideEnumeration], "typedef": [UInt32(BTF_KIND_TYPEDEF)],
        ]
        return (kinds[keyword] ?? []).contains { kind in
            switch btf {
            case .some(let btf): btf__find_by_name_kind(btf.pointer, name, kind) > 0
            case nil: false
            }
        }
    }
}

extension String {
    fileprivate var trimmingLineEnds: String {
        var text = self[...]
        while text.hasPrefix("\n") { text.removeFirst() }
        while text.hasSuffix("\n") { text.removeLast() }
        return String(text)
    }
}
