// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library: functions that are safe for what their callers pass, which is verified with each of these. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define CHAIN_ITSELF
#include "chain.h"

/* How often a context of each kind had something in it. */
long seen[KINDS];

/* Reads the context that `kind` says, without a look whether it is there. */
__bpf_chain void bpf_subprog(int kind, struct pt_regs *ctx1, struct sched_switch_args *ctx2, struct __sk_buff *ctx3)
{
	if (kind == KIND_RENAME)
		seen[KIND_RENAME] += ctx1->rip != 0;
	if (kind == KIND_SWITCH)
		seen[KIND_SWITCH] += ctx2->prev_pid != ctx2->next_pid;
	if (kind == KIND_ARRIVAL)
		seen[KIND_ARRIVAL] += ctx3->len > 0;
}

/* Not marked: kept with what calls it, and offered to nobody. */
static __attribute__((noinline)) int added(const long *place, int times)
{
	return *place + times;
}

/* Nobody calls it here, and it takes its argument on trust. */
__bpf_chain static int count_at(long *place, int times)
{
	*place = added(place, times);
	return times;
}

/* An export like any other. */
__attribute__((noinline)) int doubled(int value)
{
	return value * 2;
}

char LICENSE[] SEC("license") = "GPL";
