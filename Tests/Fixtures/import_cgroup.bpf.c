// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer: a cgroup's incoming packets. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "subprog.h"

SEC("cgroup_skb/ingress")
int on_packet(void *ctx)
{
	struct event event = { .weight = 3, .stamp = 1 };

	bpf_subprog(KIND_PACKET, &event);
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
