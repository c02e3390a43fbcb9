// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that passes packet metadata, which lies in the same memory as the packet. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "memory.h"

SEC("tc")
int on_traffic(struct __sk_buff *skb)
{
	void *meta = (void *)(long)skb->data_meta, *end = (void *)(long)skb->data;

	if (meta + sizeof(struct pair) > end)
		return 0;
	return mem_fill(meta);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
