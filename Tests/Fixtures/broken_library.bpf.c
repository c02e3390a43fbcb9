// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library whose function is not safe. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int peek(long place)
{
	return *(volatile int *)place;
}

char LICENSE[] SEC("license") = "GPL";
