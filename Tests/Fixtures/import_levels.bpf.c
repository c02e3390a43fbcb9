// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer of a function that itself imports. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "subprog.h"

extern int bpf_subprog_scaled(int kind, const struct event *event, unsigned short factor);

SEC("socket")
int filter(void *ctx)
{
	struct event event = { .weight = 5, .stamp = 1 };

	return bpf_subprog_scaled(KIND_PACKET, &event, 3);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
