// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Maps of every kind that BTF can define, maps in maps with their values, programs in maps, data sections of every kind. */
#include "real.h"

struct place {
	int a, b;
};

struct value {
	struct bpf_spin_lock lock;
	long sum;
	char name[20];
};

#define MAP(name, kind, entries)                                                                                          \
	struct {                                                                                                          \
		__uint(type, kind);                                                                                       \
		__uint(max_entries, entries);                                                                             \
		__type(key, int);                                                                                         \
		__type(value, long);                                                                                      \
	} name SEC(".maps")

MAP(array, BPF_MAP_TYPE_ARRAY, 7);
MAP(cpu_array, BPF_MAP_TYPE_PERCPU_ARRAY, 3);
MAP(cpu_hash, BPF_MAP_TYPE_PERCPU_HASH, 3);
MAP(recent, BPF_MAP_TYPE_LRU_HASH, 64);
MAP(cpu_recent, BPF_MAP_TYPE_LRU_PERCPU_HASH, 64);

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 128);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct place);
	__type(value, struct value);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(key_size, 8);
	__uint(value_size, 4);
} prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 5);
	__uint(value_size, 8);
} queue SEC(".maps"), first_queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 5);
	__type(value, long);
} stack SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 100);
	__uint(value_size, 4);
	__uint(map_extra, 3);
} filter SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 16);
	__uint(key_size, 4);
	__uint(value_size, 8 * 16);
} traces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CGROUP_STORAGE);
	__type(key, struct bpf_cgroup_storage_key);
	__type(value, long);
} per_cgroup SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, long);
} per_socket SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, long);
} per_task SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__uint(value_size, sizeof(struct bpf_devmap_val));
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, sizeof(struct bpf_cpumap_val));
} cpus SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, int);
	__type(value, int);
} inner_one SEC(".maps"), inner_two SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 3);
	__type(key, int);
	__array(values, struct inner);
} outer SEC(".maps") = {
	.values = { [0] = &inner_one, [2] = &inner_two },
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4);
	__uint(key_size, 4);
	__array(values, struct inner);
} outer_hash SEC(".maps") = {
	.values = { [1] = &inner_two },
};

int next_frame(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 3);
	__uint(key_size, 4);
	__array(values, int(void *));
} jumps SEC(".maps") = {
	.values = { [1] = (void *)&next_frame },
};

const volatile int settings[5] = { 1, 2, 3, 4, 5 };
const volatile char words[] = "several words";
int counted = 17;
long zeroes[100];
int own_section SEC(".data.own") = 5;
const int own_constants[] SEC(".rodata.own") = { 9, 8, 7 };

SEC("xdp")
int next_frame(struct xdp_md *ctx)
{
	return touch(XDP_PASS);
}

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	int key = ctx->rx_queue_index, *count;
	struct place where = { key, 2 };
	struct value *found = bpf_map_lookup_elem(&hash, &where);
	void *inner = bpf_map_lookup_elem(&outer, &key);
	long value = settings[key & 3] + words[key & 7], *element;

	if (found) {
		bpf_spin_lock(&found->lock);
		found->sum += value;
		bpf_spin_unlock(&found->lock);
	}
	if (inner && (count = bpf_map_lookup_elem(inner, &key)))
		*count += counted + own_section + own_constants[key & 1];
	inner = bpf_map_lookup_elem(&outer_hash, &key);
	if (inner && (count = bpf_map_lookup_elem(inner, &key)))
		*count += 1;
	if ((element = bpf_map_lookup_elem(&array, &key)))
		*element += value;
	if ((element = bpf_map_lookup_elem(&cpu_array, &key)))
		*element += value;
	if ((element = bpf_map_lookup_elem(&recent, &key)))
		*element += value;
	bpf_map_update_elem(&cpu_hash, &key, &value, BPF_ANY);
	bpf_map_update_elem(&cpu_recent, &key, &value, BPF_ANY);
	bpf_map_push_elem(&queue, &value, 0);
	bpf_map_push_elem(&stack, &value, 0);
	bpf_map_push_elem(&filter, &value, 0);
	bpf_map_peek_elem(&first_queue, &value);
	bpf_map_lookup_elem(&prefixes, &where);
	bpf_ringbuf_output(&ring, &value, sizeof(value), 0);
	bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &value, sizeof(value));
	zeroes[key & 63] += value;
	bpf_tail_call(ctx, &jumps, 1);
	if (touch(key) == 3)
		return bpf_redirect_map(&devices, key, XDP_PASS);
	return bpf_redirect_map(&cpus, key, XDP_PASS);
}

SEC("cgroup_skb/egress")
int on_departure(struct __sk_buff *skb)
{
	long *count = bpf_get_local_storage(&per_cgroup, 0);

	__sync_fetch_and_add(count, touch(1));
	return 1;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_stored, struct pt_regs *regs, long number)
{
	struct task_struct *task = bpf_get_current_task_btf();
	long *count = bpf_task_storage_get(&per_task, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (count)
		*count += touch(number);
	bpf_get_stackid(ctx, &traces, 0);
	return 0;
}

SEC("sockops")
int on_socket(struct bpf_sock_ops *ctx)
{
	struct bpf_sock *sk = ctx->sk;

	if (sk)
		bpf_sk_storage_get(&per_socket, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	return touch(1);
}
