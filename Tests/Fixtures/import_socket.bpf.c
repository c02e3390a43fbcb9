// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer whose results a test run shows: two imports, one of them called from a subprogram of its own. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "subprog.h"

__attribute__((noinline)) int twice(int value)
{
	return bpf_subprog_scale(value, 2);
}

SEC("socket")
int filter(struct __sk_buff *skb)
{
	struct event event = { .weight = 1, .stamp = 2 };

	bpf_subprog(KIND_PACKET, &event);
	return twice(21) + bpf_subprog(KIND_PACKET, &event) * 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
