// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer: samples of a clock. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "subprog.h"

SEC("perf_event")
int on_sample(void *ctx)
{
	struct event event = { .weight = 8, .stamp = 1 };

	bpf_subprog(KIND_PACKET, &event);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
