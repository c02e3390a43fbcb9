// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A program array that libbpf fills when it loads the object: its programs share nothing. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int next(struct __sk_buff *skb);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(int));
	__array(values, int(void *));
} jumps SEC(".maps") = {
	.values = { (void *)&next },
};

long total;

__attribute__((noinline)) int record(int weight)
{
	__sync_fetch_and_add(&total, weight);
	return weight;
}

SEC("socket")
int next(struct __sk_buff *skb)
{
	return record(2);
}

SEC("socket")
int first(struct __sk_buff *skb)
{
	record(1);
	bpf_tail_call(skb, &jumps, 0);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
