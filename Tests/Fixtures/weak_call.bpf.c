// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that calls a weak import without asking whether it is there. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int bpf_subprog_scale(int value, unsigned short factor) __weak;

SEC("socket")
int filter(struct __sk_buff *skb)
{
	return bpf_subprog_scale(20, 3);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
