// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer: packets at the traffic control hook. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "subprog.h"

SEC("tc")
int on_traffic(void *ctx)
{
	struct event event = { .weight = 5, .stamp = 1 };

	bpf_subprog(KIND_PACKET, &event);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
