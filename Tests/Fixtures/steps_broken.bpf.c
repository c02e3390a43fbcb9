// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Two programs share a function; one of the two is wrong by itself. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

long total;

__attribute__((noinline)) int record(int weight)
{
	__sync_fetch_and_add(&total, weight);
	return weight;
}

SEC("socket")
int right(struct __sk_buff *skb)
{
	return record(skb->len);
}

SEC("tc")
int wrong(struct __sk_buff *skb)
{
	return record(*(int *)(long)skb->len);
}

char LICENSE[] SEC("license") = "GPL";
