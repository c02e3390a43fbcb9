// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A program that is valid only if the verifier knows what the function returns, as it does of a copy. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int plain(int value);

long values[4] = { 0, 1, 3, 5 };

SEC("tc")
int filter(struct __sk_buff *skb)
{
	return ((volatile long *)values)[plain(1)];
}

char LICENSE[] SEC("license") = "GPL";
