// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Calls a function that is not safe. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int peek(long place);

SEC("socket")
int filter(struct __sk_buff *skb)
{
	return peek(skb->len);
}

char LICENSE[] SEC("license") = "GPL";
