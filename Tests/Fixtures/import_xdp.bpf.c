// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer: packets as they arrive. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "subprog.h"

SEC("xdp")
int on_frame(void *ctx)
{
	struct event event = { .weight = 4, .stamp = 1 };

	bpf_subprog(KIND_PACKET, &event);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
