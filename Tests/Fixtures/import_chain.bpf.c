// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Importers of chain.bpf.c: two programs of each type, and some that are wrong. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "chain_programs.h"

/* Says that it has the context of a kprobe, and has not. */
SEC("?tracepoint/sched/sched_switch")
int wrong(struct sched_switch_args *ctx)
{
	bpf_subprog(KIND_RENAME, 0, ctx, 0);
	return 0;
}

/* A static function, memory of the caller, and an export. */
SEC("?socket")
int filter(struct __sk_buff *skb)
{
	long place = 3;

	return count_at(&place, 4) + place + doubled(5);
}

char LICENSE[] SEC("license") = "GPL";
