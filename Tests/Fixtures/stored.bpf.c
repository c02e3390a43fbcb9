// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that keeps an import's address in its data. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int bpf_subprog_scale(int value, unsigned short factor);

int (*scale)(int value, unsigned short factor) = bpf_subprog_scale;

SEC("socket")
int filter(struct __sk_buff *skb)
{
	return scale != 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
