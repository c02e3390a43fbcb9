// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpflink.h>

/* A library whose exports take types of all origins: its own, of <linux/bpf.h>, of the kernel; with and without definition. */

struct list_head { /* as the kernel has it */
	struct list_head *next, *prev;
};

struct other;
struct task_struct;
struct pt_regs;

typedef struct {
	int x;
	long y;
} place;

typedef long (*record_step)(long, int (*)(void));
typedef place record_places[2];
typedef unsigned long record_count;

struct record {
	__u32 kind;
	struct bpf_spin_lock lock;
	struct list_head chain;
	place where;
	struct other *next;
	record_step step;
	record_places between;
	record_count times[3];
	union {
		int small;
		long wide;
	};
	enum { FIRST, SECOND } order;
	unsigned int low : 3;
	char gap __attribute__((aligned(32)));
} __attribute__((packed));

__bpf_export int keep(struct record *record, place *where __arg_nonnull)
{
	return record ? record->kind : where->x;
}

__bpf_export int watch(struct task_struct *task __arg_nullable, struct pt_regs *regs __arg_ctx_of("kprobe"))
{
	return task && regs;
}

__bpf_internal int aside(void)
{
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
