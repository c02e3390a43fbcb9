// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library that asks for the address of the traced function. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define RUN_CONTEXT_ITSELF
#include "run_context.h"

unsigned long address_of(void *ctx CONTEXT)
{
	return bpf_get_func_ip(ctx);
}

char LICENSE[] SEC("license") = "GPL";
