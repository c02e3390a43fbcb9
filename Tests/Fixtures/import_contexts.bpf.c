// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Importers of all types, which pass their contexts to the same functions. */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>
#include "contexts.h"

SEC("kprobe/__set_task_comm")
int on_rename(struct pt_regs *ctx)
{
	return bpf_subprog(SEEN_KPROBE, ctx, 0, 0);
}

SEC("tracepoint/sched/sched_switch")
int on_switch(struct sched_switch_args *ctx)
{
	return bpf_subprog(SEEN_TRACEPOINT, 0, ctx, 0);
}

SEC("cgroup_skb/ingress")
int on_arrival(struct __sk_buff *ctx)
{
	return bpf_subprog(SEEN_CGROUP, 0, 0, ctx) != 0;
}

SEC("perf_event")
int on_tick(struct bpf_perf_event_data *ctx)
{
	return bpf_subprog_more(ctx, 0, 0, 0, 0);
}

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	bpf_subprog_more(0, ctx, 0, 0, 0);
	return XDP_PASS;
}

SEC("tc")
int on_queue(struct __sk_buff *ctx)
{
	return bpf_subprog_more(0, 0, ctx, 0, 0);
}

SEC("raw_tp/sys_enter")
int on_call(__u64 *ctx)
{
	return bpf_subprog_more(0, 0, 0, ctx, 0);
}

SEC("socket")
int on_read(struct __sk_buff *ctx)
{
	return bpf_subprog_more(0, 0, 0, 0, ctx);
}

/* Has none to pass. */
SEC("socket")
int without(struct __sk_buff *ctx)
{
	return bpf_subprog(SEEN_KPROBE, 0, 0, 0) + bpf_subprog_more(0, 0, 0, 0, 0);
}

char LICENSE[] SEC("license") = "GPL";
