// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that passes memory it must not write to itself. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "memory.h"

static const volatile struct pair constant = { 1, 2 };

SEC("socket")
int filter(void *ctx)
{
	return mem_fill((struct pair *)&constant);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
