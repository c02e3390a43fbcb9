// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library with a function that calls back what its caller gives it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, long);
} numbers SEC(".maps");

static int visit(void *map, int *key, long *number)
{
	++*number;
	return 0;
}

static __attribute__((noinline)) int each(void *callback)
{
	return bpf_for_each_map_elem(&numbers, callback, 0, 0);
}

int foreign(struct __sk_buff *skb)
{
	void *callback = visit;

	/* The compiler would have each() load it. */
	asm volatile("" : "+r"(callback));
	return each(callback);
}

char LICENSE[] SEC("license") = "GPL";
