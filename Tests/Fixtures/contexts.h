/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What contexts.bpf.c offers. */
#pragma once
#include <asm/ptrace.h>
#include "sched_switch.h"
#include "tags.h"

enum seen {
	SEEN_KPROBE = 1,
	SEEN_TRACEPOINT,
	SEEN_CGROUP,
	SEEN_PERF,
	SEEN_XDP,
	SEEN_QUEUE,
	SEEN_CALL,
	SEEN_FILTER,
	SEEN_COUNT,
};

struct bpf_perf_event_data;

#ifndef CONTEXTS_ITSELF
extern int bpf_subprog(int kind, struct pt_regs *probed, struct sched_switch_args *switched, struct __sk_buff *arrived);
extern int bpf_subprog_more(struct bpf_perf_event_data *ticked, struct xdp_md *frame, struct __sk_buff *queued, __u64 *called,
			    struct __sk_buff *filtered);
#endif
