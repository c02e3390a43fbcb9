// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Functions that the kernel calls back, subprograms static, global, weak and hidden, and what they share. */
#include "real.h"

struct timed {
	struct bpf_timer timer;
	long count;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, int);
	__type(value, struct timed);
} timers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, int);
	__type(value, long);
} sums SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_USER_RINGBUF);
	__uint(max_entries, 4096);
} orders SEC(".maps");

static int total;

static __noinline int add(int a, int b)
{
	total += a;
	return total + b;
}

__noinline int scale(int value)
{
	return add(value, 3) * 5;
}

__noinline __weak int halve(int value)
{
	return (value >> 1) + total;
}

__hidden __noinline int third(int value)
{
	return scale(value) >> 3;
}

static int step(u32 index, long *sum)
{
	*sum += third(index);
	return index > 20;
}

static long each(struct bpf_map *map, const int *key, long *value, long *sum)
{
	*sum += *value + halve(*key);
	return 0;
}

static int on_timer(void *map, int *key, struct timed *timed)
{
	timed->count += add(*key, 1);
	bpf_timer_start(&timed->timer, 1000000, 0);
	return 0;
}

static long on_order(struct bpf_dynptr *order, long *sum)
{
	int value = 0;

	bpf_dynptr_read(&value, sizeof(value), order, 0, 0);
	*sum += add(value, 1);
	return 0;
}

SEC("tc")
int on_queue(struct __sk_buff *skb)
{
	struct timed *timed;
	long sum = touch(0);
	int key = 1;

	bpf_loop(10, step, &sum, 0);
	bpf_for_each_map_elem(&sums, each, &sum, 0);
	timed = bpf_map_lookup_elem(&timers, &key);
	if (timed) {
		bpf_timer_init(&timed->timer, &timers, 1);
		bpf_timer_set_callback(&timed->timer, on_timer);
	}
	return sum & 0xff;
}

SEC("raw_tp/sys_enter")
int on_call(void *ctx)
{
	long sum = 0;

	bpf_user_ringbuf_drain(&orders, on_order, &sum, 0);
	return scale(sum) + touch(1);
}

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	return halve(third(ctx->rx_queue_index)) & touch(1) ? XDP_PASS : XDP_ABORTED;
}
