// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library that imports from another. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "subprog.h"

int bpf_subprog_scaled(int kind, const struct event *event, unsigned short factor)
{
	if (!event)
		return 0;
	return bpf_subprog_scale(bpf_subprog(kind, event), factor);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
