// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library that counts in a map within a map. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define SLEEPABLE_ITSELF
#include "sleepable.h"

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, long);
} inner SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, int);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { &inner } };

long count_inner(long weight)
{
	int key = 0;
	void *map = bpf_map_lookup_elem(&outer, &key);
	long *count = map ? bpf_map_lookup_elem(map, &key) : 0;

	if (!count)
		return -1;
	return __sync_fetch_and_add(count, weight) + weight;
}

char LICENSE[] SEC("license") = "GPL";
