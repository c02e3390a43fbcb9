// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library that uses a helper for GPL programs only, and one function that does not. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

static __attribute__((noinline)) int peek(void)
{
	int value = 1;

	bpf_probe_read_kernel(&value, sizeof(value), 0);
	return value;
}

int gpl_only(void)
{
	return peek();
}

int for_everyone(void)
{
	return 5;
}

char LICENSE[] SEC("license") = "GPL";
