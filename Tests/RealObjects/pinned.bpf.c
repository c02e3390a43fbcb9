// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A map that libbpf pins by its name. */
#include "real.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, int);
	__type(value, long);
} bpflink_pinned SEC(".maps");

SEC("socket")
int filter(struct __sk_buff *skb)
{
	int key = 0;

	return bpf_map_lookup_elem(&bpflink_pinned, &key) ? touch(1) : 0;
}
