// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library with two callbacks that start each other, one of which calls what refers to a program array. */
#include <linux/bpf.h>
#include <linux/time.h>
#include <bpf/bpf_helpers.h>
#include "clock.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} programs SEC(".maps");

static int second(void *map, int *key, struct clock *clock);

static __attribute__((noinline)) int refer(int value)
{
	void *array = &programs;

	asm volatile("" : "+r"(array));
	return value;
}

static int first(void *map, int *key, struct clock *clock)
{
	bpf_timer_set_callback(&clock->timer, second);
	return refer(0);
}

static int second(void *map, int *key, struct clock *clock)
{
	bpf_timer_set_callback(&clock->timer, first);
	return 0;
}

int foreign(struct __sk_buff *skb)
{
	int key = 0;
	struct clock *clock = bpf_map_lookup_elem(&clocks, &key);

	if (clock)
		bpf_timer_set_callback(&clock->timer, second);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
