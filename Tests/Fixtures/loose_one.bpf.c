// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* One of two libraries that import from each other, though no call leads round: what is imported calls nothing. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int loose_two(int value);

int loose_one(int value)
{
	return value + 1;
}

int calls_two(int value)
{
	return loose_two(value);
}

char LICENSE[] SEC("license") = "GPL";
