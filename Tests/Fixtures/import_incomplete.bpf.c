// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that knows a struct by name only. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct pair;
extern int mem_fill(struct pair *pair);

SEC("socket")
int filter(void *ctx)
{
	long memory[2] = { 1, 2 };

	return mem_fill((struct pair *)memory) ?: memory[0] + memory[1];
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
