// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * One function of the contexts of three types of programs, and the three programs: `bpflink load contexts.bpf.o` loads the
 * function once, and then the programs, which import it and pass their own context each.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpflink.h>
#include "contexts.h"

enum kind { KIND_RENAME = 1, KIND_SWITCH, KIND_PACKET, KIND_COUNT };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KIND_COUNT);
	__type(key, int);
	__type(value, long);
} seen SEC(".maps");

/* Counts the events in whose context it finds what the event is about. */
__bpf_export int bpf_subprog(
	int kind, struct pt_regs *regs __arg_ctx_of("kprobe"),
	struct sched_switch_args *record __arg_ctx_of("tracepoint"), struct __sk_buff *skb __arg_ctx_of("cgroup_skb"))
{
	long *count = bpf_map_lookup_elem(&seen, &kind);

	if (!count)
		return 0;
	if (regs && regs->di) /* the task that is renamed */
		__sync_fetch_and_add(count, 1);
	if (record && record->prev_pid != record->next_pid)
		__sync_fetch_and_add(count, 1);
	if (skb && skb->len)
		__sync_fetch_and_add(count, 1);
	return 0;
}

SEC("kprobe/__set_task_comm")
int on_rename(struct pt_regs *ctx)
{
	return bpf_subprog(KIND_RENAME, ctx, NULL, NULL);
}

SEC("tracepoint/sched/sched_switch")
int on_switch(struct sched_switch_args *ctx)
{
	return bpf_subprog(KIND_SWITCH, NULL, ctx, NULL);
}

SEC("cgroup_skb/ingress")
int on_packet(struct __sk_buff *ctx)
{
	bpf_subprog(KIND_PACKET, NULL, NULL, ctx);
	return 1; /* let it in */
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
