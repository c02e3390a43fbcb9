// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Importers that pass memory of all kinds; what each returns tells what the imported function did to it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "memory.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, int);
	__type(value, struct pair);
} pairs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct pair global;

SEC("socket")
int on_stack(void *ctx)
{
	struct pair pair = { 1, 2 };

	return mem_fill(&pair) ?: pair.a * 100 + pair.b;
}

SEC("socket")
int in_map_value(void *ctx)
{
	int key = 1;
	struct pair *pair = bpf_map_lookup_elem(&pairs, &key);

	if (!pair)
		return -2;
	return mem_fill(pair) ?: pair->a * 100 + pair->b;
}

SEC("socket")
int maybe_in_map_value(void *ctx)
{
	int key = 7;

	return mem_fill(bpf_map_lookup_elem(&pairs, &key));
}

SEC("socket")
int in_global_data(void *ctx)
{
	return mem_fill(&global) ?: global.a * 100 + global.b;
}

SEC("socket")
int in_ring_buffer(void *ctx)
{
	struct pair *pair = bpf_ringbuf_reserve(&ring, sizeof(*pair), 0);
	int result;

	if (!pair)
		return -2;
	result = mem_fill(pair) ?: pair->a * 100 + pair->b;
	bpf_ringbuf_discard(pair, 0);
	return result;
}

SEC("socket")
int null(void *ctx)
{
	return mem_fill(0);
}

SEC("socket")
int nonnull(void *ctx)
{
	struct pair pair = { 3, 4 };

	mem_swap(&pair);
	return pair.a * 100 + pair.b;
}

SEC("socket")
int void_result(void *ctx)
{
	long sum = 1;

	mem_add(&sum, 2);
	mem_add(&sum, 3);
	mem_add(0, 4);
	return sum;
}

SEC("socket")
int array(void *ctx)
{
	char text[16] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };

	return mem_bytes(&text);
}

SEC("socket")
int wide_result(void *ctx)
{
	return mem_wide() >> 32;
}

SEC("socket")
int negative_result(void *ctx)
{
	return mem_negative() < 0 ? 1 : 0;
}

SEC("socket")
int five_arguments(void *ctx)
{
	return mem_weigh(1, -2, 3, 255, HEAVY);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
