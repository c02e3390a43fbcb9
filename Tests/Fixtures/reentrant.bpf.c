// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library whose function may be entered again, on the same CPU, while it runs: what it calls may be traced. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, int);
	__type(value, long);
} updated SEC(".maps");

/* How often the function was entered, and how many slots of its stack were not its own any more. */
long entered, broken;

int reentrant(int seed)
{
	volatile long kept[16];
	int i, key = seed & 1;
	long value = seed;

	entered++;
	for (i = 0; i < 16; i++)
		kept[i] = seed + i;
	bpf_map_update_elem(&updated, &key, &value, BPF_ANY);
	for (i = 0; i < 16; i++)
		if (kept[i] != seed + i)
			broken++;
	return seed;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
