// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Importers: a raw tracepoint and a function's entry, which call from a subprogram of their own. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "subprog.h"

static __attribute__((noinline)) int tell(int kind, int weight)
{
	struct event event = { .weight = weight, .stamp = 1 };

	return bpf_subprog(kind, &event);
}

SEC("raw_tp/sys_enter")
int on_call(void *ctx)
{
	tell(KIND_KPROBE, 6);
	return 0;
}

SEC("fentry/bpf_fentry_test1")
int on_entry(void *ctx)
{
	tell(KIND_TRACEPOINT, 7);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
