// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library: a global function and the map it keeps its records in. It has no program of its own. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpflink.h>
#include "library.h"

#define BUCKETS 16

struct record {
	unsigned long long calls;
	unsigned long long last;
	unsigned long long sizes[BUCKETS]; /* how often `value` had this many bits */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KIND_COUNT);
	__type(key, int);
	__type(value, struct record);
} records SEC(".maps");

/* static: for this object only */
static int bits(unsigned long long value)
{
	int bits = 0;

	while (value && bits < BUCKETS - 1) {
		value >>= 1;
		bits++;
	}
	return bits;
}

/* global, and so exported; never inlined, so that the objects that carry a copy call it too */
__bpf_export void bpf_subprog(int kind, unsigned long long value)
{
	struct record *record = bpf_map_lookup_elem(&records, &kind);

	if (!record)
		return;
	__sync_fetch_and_add(&record->calls, 1);
	__sync_fetch_and_add(&record->sizes[bits(value) & (BUCKETS - 1)], 1);
	record->last = value;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
