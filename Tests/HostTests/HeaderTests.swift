// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause

import BPFLinker
import BPFObject
import Glibc
import TestFixtures
import Testing

/// `bpflink header`, and importers that are compiled with what it writes.
@Suite struct HeaderTests {
    private static let compile = "${CLANG:-clang} -O2 -g -target bpf -Wall -Wextra -Werror -idirafter /usr/include/$(uname -m)-linux-gnu"

    @Test(arguments: ["subprog", "prototypes", "memory", "dependent", "types", "library_on_library", "facts"])
    func whatIsWrittenCompiles(library: String) throws {
        let run = try inScratch(
            """
            bpflink header $FIXTURES/\(library).bpf.o >library.h
            printf '%s\\n' '#include "library.h"' '#include "library.h"' '#include <linux/bpf.h>' >first.c
            printf '%s\\n' '#include <linux/bpf.h>' '#include <bpf/bpf_helpers.h>' '#include <bpflink.h>' '#include "library.h"' >last.c
            for file in first.c last.c; do \(Self.compile) -I '\(Fixture.root)/Include' -c $file -o /dev/null || exit 1; done
            """)
        #expect(run.errors.isEmpty)
        #expect(run.status == 0)
    }

    @Test func anImporterThatIncludesItLinks() throws {
        let (plan, _) = try link(
            "memory",
            """
            #include "library.h"
            __attribute__((section("socket"), used)) int filter(void *ctx)
            {
            	struct pair pair = {1, 2};
            	char text[16];
            	long sum = mem_fill(&pair) + mem_swap(&pair) + mem_bytes(&text);

            	mem_add(&sum, 1);
            	return sum + mem_wide() + mem_negative() + mem_weigh(sum, 1, 2, 3, HEAVY);
            }
            """)
        #expect(Set(plan.bindings.map(\.import.name)) == Set(try exports(of: "memory").map(\.name)))
        #expect(plan.providers.count == 1)
    }

    @Test func tagsAreKept() throws {
        let header = try Command.run("bpflink header $FIXTURES/types.bpf.o").output
        #expect(header.contains("extern int keep(struct record *record, place *where __arg_nonnull);\n"))
        #expect(
            header.contains(
                "extern int watch(struct task_struct *task __arg_nullable, struct pt_regs *regs __arg_ctx_of(\"kprobe\"));\n"))
        #expect(header.contains("#define __arg_ctx_of(type) __attribute__((btf_decl_tag(\"arg:ctx:\" type)))\n"))
        #expect(header.contains("\nstruct pt_regs;\n"))
        #expect(!header.contains("aside"))
    }

    /// One that is defined elsewhere is left out, whatever it looks like there.
    @Test(arguments: ["struct_record", "typedef_place", "typedef_record_step", "typedef_record_places", "typedef_record_count"])
    func eachTypeHasAGuard(mark: String) throws {
        let header = try Command.run("bpflink header $FIXTURES/types.bpf.o").output
        let begin = try #require(header.range(of: "\n#ifndef bpflink_\(mark)\n#define bpflink_\(mark)\n"))
        #expect(header[begin.upperBound...].hasPrefix(String(mark.prefix { $0 != "_" }) + " "))
    }

    /// Types of <linux/bpf.h> and of the kernel come from there or from `vmlinux.h`; those of both are defined once.
    @Test(.enabled(if: access("/sys/kernel/btf/vmlinux", R_OK) == 0, "the kernel has no BTF"))
    func typesOfTheKernelAreLeftToVmlinuxHeaders() throws {
        let source = "#include \"library.h\"\nint f(struct record *r, place *p);\nint f(struct record *r, place *p) { return keep(r, p); }"
        let vmlinux = """
            #ifndef __VMLINUX_H__
            #define __VMLINUX_H__
            typedef unsigned int __u32;
            struct list_head { struct list_head *next, *prev; };
            struct bpf_spin_lock { __u32 val; };
            struct pt_regs { unsigned long r15; };
            struct task_struct { int pid; };
            #endif
            """
        let run = try inScratch(
            """
            bpflink header $FIXTURES/types.bpf.o >library.h
            cat >vmlinux.h <<'END'
            \(vmlinux)
            END
            printf '#include "vmlinux.h"\\n%s\\n' '\(source)' >with.c
            printf '%s\\n' '\(source)' >without.c
            for file in with without; do
            	\(Self.compile) -c $file.c -o $file.o && bpftool btf dump file $file.o format c | sed -n '/^struct record {/,/^}/p' || exit 1
            done
            """)
        #expect(run.errors.isEmpty)
        let definitions = run.output.split(separator: "struct record {")
        #expect(definitions.count == 2 && definitions.first == definitions.last)
        #expect(run.output.contains("struct bpf_spin_lock lock;") && run.output.contains("struct list_head chain;"))
    }

    @Test func theLayoutIsThatOfTheLibrary() throws {
        let (plan, importer) = try link(
            "types", "#include \"library.h\"\n__attribute__((section(\"socket\"), used)) int f(void *c) { place p = {}; return keep(0, &p); }")
        #expect(plan.bindings.count == 1 && importer.imports.first?.name == "keep")
    }

    @Test(arguments: [
        ("plain.bpf.o", 1, "error: plain.bpf.o exports no function\nhelp: global functions"),
        ("recipe", 1, "error: recipe is not an ELF file"),
        ("none", 1, "error: none cannot be read"),
        ("id=4000000000", 1, "error: no program has the id 4000000000"),
        ("", 64, "Error: Missing expected argument '<ref|object>'"),
    ])
    func whatHasNoHeaderIsTold(argument: String, status: Int32, words: String) throws {
        let run = try Command.run("cd $FIXTURES && bpflink header \(argument)")
        #expect(run.status == status && run.output.isEmpty)
        #expect(run.errors.hasPrefix(words))
    }

    @Test func aNameThatIsNoNameIsRefused() throws {
        // Names become C; this one would become a declaration of its own.
        let run = try inScratch(
            "LC_ALL=C sed 's/bpf_subprog_scale/int;extern int x;/g' $FIXTURES/subprog.bpf.o >evil.bpf.o; bpflink header evil.bpf.o")
        #expect(run.status == 1 && run.output.isEmpty)
        #expect(run.errors.contains("int;extern int x;"))
        #expect(run.errors.contains("cannot be written in C"))
    }

    @Test func jsonHasTheHeaderAsText() throws {
        let run = try Command.run("bpflink header --json --guard MINE_H $FIXTURES/subprog.bpf.o")
        #expect(run.status == 0)
        #expect(run.output.contains(#"\n#ifndef MINE_H\n#define MINE_H\n"#))
        #expect(run.output.contains("{\"name\":\"bpf_subprog_total\",\"prototype\":\"unsigned long bpf_subprog_total(void)\"}"))
    }

    // MARK: Helpers

    /// Runs words in a directory of their own.
    private func inScratch(_ words: String) throws -> Outcome {
        try Command.run("scratch=$(mktemp -d) && cd $scratch && ( \(words)\n); status=$?; cd / && rm -r $scratch; exit $status")
    }

    private func exports(of library: String) throws -> [Prototype] {
        try Object(bytes: Fixture.bytes(library), name: library).exports.map(\.prototype)
    }

    /// Compiles an importer with the library's header and links it with the library.
    private func link(_ library: String, _ source: String) throws -> (LinkPlan, Object) {
        let path = "/tmp/bpflink_header_\(getpid())_\(UInt32.random(in: 0 ... .max)).o"
        defer { unlink(path) }
        let run = try inScratch(
            """
            bpflink header $FIXTURES/\(library).bpf.o >library.h
            cat >importer.c <<'END'
            \(source)
            END
            \(Self.compile) -Wno-unused-parameter -c importer.c -o \(path)
            """)
        #expect(run.errors.isEmpty)
        let importer = try Object(bytes: TestFile.read(path), name: "importer.bpf.o")
        let provider = ProviderSnapshot(
            reference: "7", id: 1, name: library, tag: "", type: "socket_filter",
            exports: try exports(of: library).map { ProviderExport(prototype: $0) })
        return (try BPFLinker.link(importer, libraries: [provider]), importer)
    }
}
