/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* Two programs of each of three types that call bpf_subprog(), each with its own context and nothing in place of the others. */
#pragma once
#include "chain.h"

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

SEC("tracepoint/sched/sched_switch")
int on_switch_too(struct sched_switch_args *ctx)
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

SEC("cgroup_skb/ingress")
int on_arrival_too(struct __sk_buff *skb)
{
	bpf_subprog(KIND_ARRIVAL, 0, 0, skb);
	return 1;
}
