// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* One function of the contexts of three types of programs, each of which passes its own. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpflink.h>
#include "sched_switch.h"

#define __global __attribute__((noinline))

struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
};

enum kind { RENAME, SWITCH, FRAME, KINDS };

/* How often a context of each kind had something in it. */
long counts[KINDS];

__global int bpf_subprog(
	int kind, struct pt_regs *regs __arg_ctx_of("kprobe"), struct sched_switch_args *record __arg_ctx_of("tracepoint"),
	struct __sk_buff *skb __arg_ctx_of("sched_cls"))
{
	if (kind < 0 || kind >= KINDS)
		return 0;
	if ((regs && regs->di) || (record && record->prev_pid != record->next_pid) || (skb && skb->len))
		__sync_fetch_and_add(&counts[kind], 1);
	return 0;
}

/* Of the context of programs of one type. */
__global int has_task(struct pt_regs *regs)
{
	return regs->di != 0;
}

SEC("kprobe/__set_task_comm")
int on_rename(struct pt_regs *ctx)
{
	return has_task(ctx) ? bpf_subprog(RENAME, ctx, 0, 0) : 0;
}

SEC("kprobe/do_exit")
int on_exit(struct pt_regs *ctx)
{
	return has_task(ctx);
}

SEC("tracepoint/sched/sched_switch")
int on_switch(struct sched_switch_args *ctx)
{
	return bpf_subprog(SWITCH, 0, ctx, 0);
}

SEC("tc")
int on_queue(struct __sk_buff *skb)
{
	return bpf_subprog(FRAME, 0, 0, skb);
}

char LICENSE[] SEC("license") = "GPL";
