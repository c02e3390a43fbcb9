// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that may neither import a function of powers.bpf.c nor have a copy of it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int with_lock(int value);

SEC("tracepoint/sched/sched_switch")
int on_switch(void *ctx)
{
	return with_lock(1);
}

char LICENSE[] SEC("license") = "GPL";
