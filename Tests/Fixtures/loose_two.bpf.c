// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* One of two libraries that import from each other, though no call leads round: what is imported calls nothing. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int loose_one(int value);

int loose_two(int value)
{
	return value + 1;
}

int calls_one(int value)
{
	return loose_one(value);
}

char LICENSE[] SEC("license") = "GPL";
