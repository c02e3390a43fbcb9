// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* What two programs share imports from a library, and so does one of the programs itself; a third imports nothing. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "subprog.h"

__attribute__((noinline)) int scaled(int value)
{
	return bpf_subprog_scale(value, 3);
}

SEC("socket")
int twofold(struct __sk_buff *skb)
{
	return scaled(7) + bpf_subprog_scale(7, 3);
}

SEC("xdp")
int single(struct xdp_md *ctx)
{
	return scaled(1);
}

SEC("tc")
int alone(struct __sk_buff *skb)
{
	return 5;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
