// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Programs that can be attached on any kernel, and count: a raw tracepoint and a cgroup's incoming packets. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, int);
	__type(value, long);
} hits SEC(".maps");

const volatile int step = 1;

static __attribute__((noinline)) int hit(int key)
{
	long *value = bpf_map_lookup_elem(&hits, &key);

	if (value)
		__sync_fetch_and_add(value, step);
	return 0;
}

SEC("raw_tp/sys_enter")
int on_call(void *ctx)
{
	return hit(0);
}

SEC("cgroup_skb/ingress")
int on_packet(struct __sk_buff *skb)
{
	hit(1);
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
