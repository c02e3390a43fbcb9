// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* One object with programs of three types that share a function which is verified with each of them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define CHAIN_ITSELF
#include "chain.h"

long seen[KINDS];

__bpf_chain void bpf_subprog(int kind, struct pt_regs *ctx1, struct sched_switch_args *ctx2, struct __sk_buff *ctx3)
{
	if (kind == KIND_RENAME)
		seen[KIND_RENAME] += ctx1->rip != 0;
	if (kind == KIND_SWITCH)
		seen[KIND_SWITCH] += ctx2->prev_pid != ctx2->next_pid;
	if (kind == KIND_ARRIVAL)
		seen[KIND_ARRIVAL] += ctx3->len > 0;
}

SEC("kprobe/__set_task_comm")
int on_rename(struct pt_regs *ctx)
{
	bpf_subprog(KIND_RENAME, ctx, 0, 0);
	return 0;
}

SEC("kprobe/__set_task_comm")
int on_rename_too(struct pt_regs *ctx)
{
	bpf_subprog(KIND_RENAME, ctx, 0, 0);
	return 0;
}

SEC("tracepoint/sched/sched_switch")
int on_switch(struct sched_switch_args *ctx)
{
	bpf_subprog(KIND_SWITCH, 0, ctx, 0);
	return 0;
}

SEC("cgroup_skb/ingress")
int on_arrival(struct __sk_buff *skb)
{
	bpf_subprog(KIND_ARRIVAL, 0, 0, skb);
	return 1;
}

char LICENSE[] SEC("license") = "GPL";
