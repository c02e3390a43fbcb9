// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* The section name says nothing about the program's type. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("mine")
int untyped(void *ctx)
{
	return 2;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
