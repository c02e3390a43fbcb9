// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library with a function that may throw an exception. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "tags.h"

extern void bpf_throw(unsigned long cookie) __ksym;

int foreign(void *ctx CONTEXT)
{
	if (bpf_get_prandom_u32() == 1)
		bpf_throw(1);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
