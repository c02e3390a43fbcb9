// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Importers of a function with a callback, which one calls once and one often. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int sum_below(int count);

SEC("socket")
int once(struct __sk_buff *skb)
{
	return sum_below(5);
}

SEC("socket")
int often(struct __sk_buff *skb)
{
	return sum_below(5) + sum_below(4) + sum_below(3) + sum_below(2) + sum_below(1) + sum_below(0);
}

char LICENSE[] SEC("license") = "GPL";
