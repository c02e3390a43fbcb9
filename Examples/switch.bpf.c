// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer: the scheduler goes from one task to the next. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "contexts.h"
#include "library.h"

SEC("tracepoint/sched/sched_switch")
int on_switch(struct sched_switch_args *ctx)
{
	bpf_subprog(KIND_SWITCH, ctx->next_pid);
	return 0;
}

#ifndef COPY
char LICENSE[] SEC("license") = "Dual BSD/GPL";
#endif
