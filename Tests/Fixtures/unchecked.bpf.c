// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library of a function that is valid only as it is called: it reads through a pointer that may be NULL for all it knows. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__attribute__((noinline)) long first_of(const long *values)
{
	return values[0];
}

__attribute__((noinline)) long doubled(long value)
{
	return 2 * value;
}

char LICENSE[] SEC("license") = "GPL";
