// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that calls an import with a lock held. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "subprog.h"

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
	struct locked *locked = bpf_map_lookup_elem(&map, &key);

	if (!locked)
		return 0;
	bpf_spin_lock(&locked->lock);
	locked->value = bpf_subprog_scale(1, 2);
	bpf_spin_unlock(&locked->lock);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
