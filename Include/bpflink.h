/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * Words for authors of BPF functions that are shared between programs, and of programs that call such functions. All of them
 * are attributes that clang knows; what they mean is decided by bpflink, libbpf and the kernel.
 */
#ifndef BPFLINK_H
#define BPFLINK_H

/*
 * A function that other programs may import. Global linkage alone makes an export; this keeps it one under
 * -fvisibility=hidden, and a call of it a call, so that programs of one object can share it.
 */
#define __bpf_export __attribute__((visibility("default"), noinline))

/* A function for the files of this object only: `static` across files. libbpf's word for it is __hidden. */
#define __bpf_internal __attribute__((visibility("hidden")))

/*
 * A function that other programs may import, and that the kernel verifies together with each of them, with the arguments that they
 * pass, not by itself; `static` functions can be marked as well. On an `extern` declaration: the import is to be verified so, even
 * if the function is an export. `used` keeps a function that nobody calls here, and its parameters as they are declared.
 */
#define __bpf_chain __attribute__((btf_decl_tag("bpflink:chain"), used, noinline))

/* A function of another program, which the linker is to find. */
#define __bpf_import extern

/* The same if it may stay unfound: `if (function) function();`. */
#define __bpf_import_weak extern __attribute__((weak))

/* Arguments, in the words of <bpf/bpf_helpers.h>, for libbpf releases without them. */
#ifndef __arg_ctx
#define __arg_ctx __attribute__((btf_decl_tag("arg:ctx")))
#endif
#ifndef __arg_nonnull
#define __arg_nonnull __attribute__((btf_decl_tag("arg:nonnull")))
#endif
#ifndef __arg_nullable
#define __arg_nullable __attribute__((btf_decl_tag("arg:nullable")))
#endif

/*
 * The context of programs of one type, or NULL: programs of that type may pass theirs, the others NULL. `type` is a name such as
 * "kprobe", "tracepoint", "raw_tracepoint", "perf_event", "sched_cls", "cgroup_skb", "xdp".
 */
#ifndef __arg_ctx_of
#define __arg_ctx_of(type) __attribute__((btf_decl_tag("arg:ctx:" type)))
#endif

#endif
