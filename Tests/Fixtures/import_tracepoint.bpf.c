// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer: a tracepoint. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "subprog.h"

SEC("tracepoint/sched/sched_switch")
int on_switch(void *ctx)
{
	struct event event = { .weight = 2, .stamp = 1 };

	bpf_subprog(KIND_TRACEPOINT, &event);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
