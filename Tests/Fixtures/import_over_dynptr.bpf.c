// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that would have the imported function write over a dynptr, which it uses afterwards. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "memory.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, long);
} map SEC(".maps");

SEC("socket")
int filter(void *ctx)
{
	int key = 0;
	long *value = bpf_map_lookup_elem(&map, &key), out = 0;
	struct bpf_dynptr data;

	if (!value)
		return 0;
	bpf_dynptr_from_mem(value, sizeof(*value), 0, &data);
	mem_fill((struct pair *)&data);
	bpf_dynptr_read(&out, sizeof(out), &data, 0, 0);
	return out;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
