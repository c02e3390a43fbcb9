/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * What KernelPatches/ adds to include/uapi/linux/bpf.h and what the distribution's headers are too old to have:
 * the bpf_attr fields of BPF_PROG_LOAD up to fd_array_cnt, and the tail of struct bpf_prog_info.
 */
#pragma once
#include <linux/types.h>

/* bpf_insn.src_reg of a BPF_CALL: imm is the BTF id of an extern FUNC of the caller, off the fd_array slot of the provider. */
#define BPFLINK_PSEUDO_PROG_CALL 3

/* The same of a function that the provider keeps: it is verified as a part of the caller. */
#define BPFLINK_PSEUDO_PROG_BODY 4

/* prog_flags of BPF_PROG_LOAD: every global subprogram is verified as a root of its own and published. */
#define BPFLINK_F_EXPORT_SUBPROGS (1U << 8)

/* prog_flags of BPF_PROG_LOAD: subprograms share native code with the same ones of other programs. */
#define BPFLINK_F_SHARE_SUBPROGS (1U << 9)

/* prog_flags of BPF_PROG_LOAD: every subprogram is kept as it was loaded, to be verified as a part of importers. */
#define BPFLINK_F_KEEP_SUBPROGS (1U << 10)

/* BPF_PROG_LOAD's part of union bpf_attr up to fd_array_cnt (include/uapi/linux/bpf.h of Linux 7.3). */
struct bpflink_prog_load_attr {
	__u32 prog_type;
	__u32 insn_cnt;
	__aligned_u64 insns;
	__aligned_u64 license;
	__u32 log_level;
	__u32 log_size;
	__aligned_u64 log_buf;
	__u32 kern_version;
	__u32 prog_flags;
	char prog_name[16];
	__u32 prog_ifindex;
	__u32 expected_attach_type;
	__u32 prog_btf_fd;
	__u32 func_info_rec_size;
	__aligned_u64 func_info;
	__u32 func_info_cnt;
	__u32 line_info_rec_size;
	__aligned_u64 line_info;
	__u32 line_info_cnt;
	__u32 attach_btf_id;
	__u32 attach_prog_or_btf_obj_fd;
	__u32 core_relo_cnt;
	__aligned_u64 fd_array;
	__aligned_u64 core_relos;
	__u32 core_relo_rec_size;
	__u32 log_true_size;
	__s32 prog_token_fd;
	__u32 fd_array_cnt;
};

/* An export of a program, as bpf_prog_info.exports lists it. */
struct bpflink_prog_export {
	__u32 type_id;     /* BTF id of the FUNC in the program's own BTF */
	__u32 func_idx;    /* index into jited_ksyms, jited_func_lens and func_info */
	__u32 stack_depth; /* bytes of BPF stack of the deepest call chain below, the export's own included */
	__u32 nr_frames;   /* native frames of the deepest call chain below, the export's own included */
};

/* A function that a program imports, as bpf_prog_info.imports lists it. */
struct bpflink_prog_import {
	__u32 prog_id; /* the provider */
	__u32 type_id; /* BTF id of the FUNC in the provider's BTF */
	__u32 environment; /* 1 + index into the provider's environments, 0 for the one it was loaded in */
	__u32 flags; /* BPFLINK_IMPORT_*; from here on 0 of a kernel that tells less */
	__u64 addr; /* of the code that is called, 0 for who may not see it */
	__u32 jited_len; /* bytes of it */
	__u32 nr_programs; /* that have this very code, this one included; 0 if it cannot be shared */
};

/* flags of an import: it was verified as a part of the importer */
#define BPFLINK_IMPORT_BODY (1U << 0)

/* flags of an environment: BPF_PROG_ENV_* */
#define BPFLINK_ENVIRONMENT_SLEEPABLE (1U << 0)
#define BPFLINK_ENVIRONMENT_GPL (1U << 1)
#define BPFLINK_ENVIRONMENT_XDP_FRAGS (1U << 2)
#define BPFLINK_ENVIRONMENT_STRICT_ALIGNMENT (1U << 3)
#define BPFLINK_ENVIRONMENT_PTR_LEAKS (1U << 4)
#define BPFLINK_ENVIRONMENT_UNINIT_STACK (1U << 5)
#define BPFLINK_ENVIRONMENT_BYPASS_SPEC_V1 (1U << 6)
#define BPFLINK_ENVIRONMENT_BYPASS_SPEC_V4 (1U << 7)
#define BPFLINK_ENVIRONMENT_CAP_PERFMON (1U << 8)
#define BPFLINK_ENVIRONMENT_CAP_NET_ADMIN (1U << 9)
#define BPFLINK_ENVIRONMENT_CAP_SYS_ADMIN (1U << 10)

/* Another kind of program that an export was verified for, as bpf_prog_info.environments lists it. */
struct bpflink_prog_environment {
	__u32 export_idx; /* index into exports */
	__u32 prog_type;
	__u32 expected_attach_type;
	__u32 attach_btf_obj_id;
	__u32 attach_btf_id;
	__u32 flags;
	__s32 err; /* a negative errno if the export is not valid there */
	__u32 verified_insns;
	__u32 jited_len; /* bytes of native code of its own, 0 if it shares the provider's */
	__u32 size; /* bytes of kernel memory kept for it, code included */
	__u64 verification_time; /* ns */
};

/* struct bpf_prog_info of the patched kernel. A kernel without the patches returns fewer bytes. */
struct bpflink_prog_info {
	__u32 type;
	__u32 id;
	__u8 tag[8];
	__u32 jited_prog_len;
	__u32 xlated_prog_len;
	__aligned_u64 jited_prog_insns;
	__aligned_u64 xlated_prog_insns;
	__u64 load_time;
	__u32 created_by_uid;
	__u32 nr_map_ids;
	__aligned_u64 map_ids;
	char name[16];
	__u32 ifindex;
	__u32 gpl_compatible; /* bit 0 */
	__u64 netns_dev;
	__u64 netns_ino;
	__u32 nr_jited_ksyms;
	__u32 nr_jited_func_lens;
	__aligned_u64 jited_ksyms;
	__aligned_u64 jited_func_lens;
	__u32 btf_id;
	__u32 func_info_rec_size;
	__aligned_u64 func_info;
	__u32 nr_func_info;
	__u32 nr_line_info;
	__aligned_u64 line_info;
	__aligned_u64 jited_line_info;
	__u32 nr_jited_line_info;
	__u32 line_info_rec_size;
	__u32 jited_line_info_rec_size;
	__u32 nr_prog_tags;
	__aligned_u64 prog_tags;
	__u64 run_time_ns;
	__u64 run_cnt;
	__u64 recursion_misses;
	__u32 verified_insns;
	__u32 attach_btf_obj_id;
	__u32 attach_btf_id;
	__u32 reserved;
	__aligned_u64 exports;     /* array of bpflink_prog_export; the patches' additions begin here */
	__aligned_u64 imports;     /* array of bpflink_prog_import */
	__aligned_u64 environments; /* array of bpflink_prog_environment */
	__aligned_u64 bodies;      /* array of the BTF ids of the functions that are kept for importers */
	__u32 nr_exports;
	__u32 nr_imports;
	__u32 nr_environments;
	__u32 nr_bodies;
	__u32 export_rec_size;
	__u32 import_rec_size;
	__u32 environment_rec_size;
	__u32 exports_size;        /* bytes that the program takes because others may import from it */
};
