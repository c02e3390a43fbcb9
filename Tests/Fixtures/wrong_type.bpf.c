// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that declares bpf_subprog_scale with arguments of other widths. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int bpf_subprog_scale(int value, unsigned long factor);

SEC("socket")
int filter(struct __sk_buff *skb)
{
	return bpf_subprog_scale(1, 2);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
