// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
import CLibbpf

/// What libbpf makes of section names. The only file of this module that knows libbpf.
enum ProgramSection {
    /// The program type that a section name stands for, in libbpf's words: `kprobe/f` is a `kprobe`.
    ///
    /// - Returns: nil if libbpf does not know the name.
    static func programType(of section: String) -> String? {
        var type = BPF_PROG_TYPE_UNSPEC
        var attach = bpf_attach_type(rawValue: 0)
        guard libbpf_prog_type_by_name(section, &type, &attach) == 0, let word = libbpf_bpf_prog_type_str(type) else {
            return nil
        }
        return String(cString: word)
    }
}
