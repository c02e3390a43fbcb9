// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that traces what the very function it imports calls. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int reentrant(int seed);

SEC("kprobe/htab_map_update_elem")
int on_update(void *ctx)
{
	reentrant(2000);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
