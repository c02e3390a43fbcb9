// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Programs that are attached to what no section name can say, and one that its section attaches to a function of libc. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* By program. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 6);
	__type(key, int);
	__type(value, long);
} hits SEC(".maps");

static __attribute__((noinline)) int hit(int key)
{
	long *value = bpf_map_lookup_elem(&hits, &key);

	if (value)
		__sync_fetch_and_add(value, 1);
	return 0;
}

SEC("tc")
int on_queue(struct __sk_buff *skb)
{
	hit(0);
	return -1; /* TCX_NEXT: as if the program were not there */
}

SEC("sk_lookup")
int on_lookup(struct bpf_sk_lookup *ctx)
{
	hit(1);
	return SK_PASS;
}

SEC("flow_dissector")
int on_flow(struct __sk_buff *skb)
{
	hit(2);
	return BPF_OK;
}

SEC("perf_event")
int on_sample(void *ctx)
{
	return hit(3);
}

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	hit(4);
	return XDP_PASS;
}

SEC("uprobe/libc.so.6:getppid")
int on_question(void *ctx)
{
	return hit(5);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
