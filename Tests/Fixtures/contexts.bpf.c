// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library: functions that take the contexts of several program types, of which each caller has one. */
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>
#define CONTEXTS_ITSELF
#include "contexts.h"

long seen[SEEN_COUNT];

int bpf_subprog(int kind, struct pt_regs *probed CONTEXT_OF(kprobe), struct sched_switch_args *switched CONTEXT_OF(tracepoint),
		struct __sk_buff *arrived CONTEXT_OF(cgroup_skb))
{
	switch (kind) {
	case SEEN_KPROBE:
		/* __set_task_comm() gets the task as its first argument. */
		if (probed && probed->rdi == bpf_get_current_task())
			__sync_fetch_and_add(&seen[kind], 1);
		return 1;
	case SEEN_TRACEPOINT:
		if (switched && switched->prev_pid == (int)bpf_get_current_pid_tgid() &&
		    switched->prev_pid != switched->next_pid)
			__sync_fetch_and_add(&seen[kind], 1);
		return 2;
	case SEEN_CGROUP:
		if (arrived)
			__sync_fetch_and_add(&seen[kind], arrived->len);
		return 3;
	}
	return 0;
}

int bpf_subprog_more(struct bpf_perf_event_data *ticked CONTEXT_OF(perf_event), struct xdp_md *frame CONTEXT_OF(xdp),
		     struct __sk_buff *queued CONTEXT_OF(sched_cls), __u64 *called CONTEXT_OF(raw_tracepoint),
		     struct __sk_buff *filtered CONTEXT_OF(socket_filter))
{
	if (ticked)
		__sync_fetch_and_add(&seen[SEEN_PERF], ticked->sample_period);
	if (frame)
		__sync_fetch_and_add(&seen[SEEN_XDP], frame->ingress_ifindex);
	if (queued)
		__sync_fetch_and_add(&seen[SEEN_QUEUE], queued->len);
	/* sys_enter: the number of the system call is the second. */
	if (called)
		__sync_fetch_and_add(&seen[SEEN_CALL], called[1] < 1000);
	if (filtered)
		__sync_fetch_and_add(&seen[SEEN_FILTER], filtered->len);
	return 4;
}

char LICENSE[] SEC("license") = "GPL";
