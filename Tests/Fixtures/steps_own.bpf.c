// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Two programs call functions that do what no program can do for another; each for one reason, which its name tells. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define __global __attribute__((noinline))

extern void bpf_throw(unsigned long long cookie) __ksym;
unsigned long long load_byte(void *skb, unsigned long long offset) asm("llvm.bpf.load.byte");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
} jumps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, long);
} storage SEC(".maps");

long total;

__global int record(int weight)
{
	__sync_fetch_and_add(&total, weight);
	return weight;
}

__global int makes_tail_calls(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &jumps, 0);
	return 1;
}

__global int uses_programs(int key)
{
	return bpf_map_delete_elem(&jumps, &key) == 0;
}

__global long uses_storage(int weight)
{
	long *value = bpf_get_local_storage(&storage, 0);

	return *value + weight;
}

__global int throws(int weight)
{
	if (weight > 100)
		bpf_throw(0);
	return weight;
}

__global int loads_packet(struct __sk_buff *skb)
{
	return load_byte(skb, 0);
}

static __attribute__((noinline)) int below(int weight)
{
	return throws(weight) + 1;
}

__global int throws_below(int weight)
{
	return below(weight) + 1;
}

/* No global function can have such a parameter: for looking at only. */
__global int takes_anything(const void *data, struct __sk_buff *skb)
{
	return data == skb;
}

SEC("cgroup_skb/ingress")
int on_arrival(struct __sk_buff *skb)
{
	return record(uses_storage(1) + throws_below(1)) != 0;
}

SEC("cgroup_skb/egress")
int on_departure(struct __sk_buff *skb)
{
	return record(uses_storage(1) + throws_below(1)) != 0;
}

SEC("?tc")
int first(struct __sk_buff *skb)
{
	return makes_tail_calls(skb) + uses_programs(1) + loads_packet(skb) + takes_anything(skb, skb);
}

SEC("?socket")
int second(struct __sk_buff *skb)
{
	return makes_tail_calls(skb) + uses_programs(1) + loads_packet(skb) + takes_anything(skb, skb);
}

char LICENSE[] SEC("license") = "GPL";
