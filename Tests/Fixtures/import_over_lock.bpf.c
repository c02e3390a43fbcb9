// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that would have the imported function write over a lock. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "memory.h"

struct locked {
	struct bpf_spin_lock lock;
	long value;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct locked);
} map SEC(".maps");

SEC("tc")
int on_traffic(void *ctx)
{
	int key = 0;

	return mem_fill(bpf_map_lookup_elem(&map, &key));
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
