// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer of a function that may be entered again while it runs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int reentrant(int seed);

SEC("socket")
int filter(void *ctx)
{
	return reentrant(1000);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
