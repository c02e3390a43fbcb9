// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library: one function counts what happens, whoever calls it. It has no program of its own. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define SUBPROG_ITSELF
#include "subprog.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KIND_COUNT);
	__type(key, int);
	__type(value, long);
} counts SEC(".maps");

unsigned long total;

/* Kept to this file. */
static __attribute__((noinline)) long count(int kind, int weight)
{
	long *counter = bpf_map_lookup_elem(&counts, &kind);

	if (!counter)
		return 0;
	__sync_fetch_and_add(counter, weight);
	return *counter;
}

/* Kept to this object. */
__hidden __attribute__((noinline)) int clamp(int value)
{
	return value < 0 ? 0 : value;
}

int bpf_subprog(int kind, const struct event *event)
{
	if (!event)
		return 0;
	__sync_fetch_and_add(&total, 1);
	return count(kind, clamp(event->weight));
}

unsigned long bpf_subprog_total(void)
{
	return total;
}

int bpf_subprog_scale(int value, unsigned short factor)
{
	return clamp(value) * factor;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
