// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that passes an import's address on, which no call to another program can do. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int each_step(unsigned int index, void *context);

SEC("socket")
int filter(struct __sk_buff *skb)
{
	int state = 0;

	return bpf_loop(4, each_step, &state, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
