// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer: a packet arrives at a task of the cgroup. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "library.h"

SEC("cgroup_skb/ingress")
int on_packet(struct __sk_buff *ctx)
{
	bpf_subprog(KIND_PACKET, ctx->len);
	return 1; /* let it in */
}

#ifndef COPY
char LICENSE[] SEC("license") = "Dual BSD/GPL";
#endif
