// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Two programs and a map; the verifier takes the first and refuses the second. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, long);
} refused_map SEC(".maps");

SEC("socket")
int accepted(struct __sk_buff *skb)
{
	int key = 0;

	return bpf_map_lookup_elem(&refused_map, &key) ? 1 : 0;
}

SEC("socket")
int rejected(struct __sk_buff *skb)
{
	int key = 0;
	long *value = bpf_map_lookup_elem(&refused_map, &key);

	return *value; /* may be NULL */
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
