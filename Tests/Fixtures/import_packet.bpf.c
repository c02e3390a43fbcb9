// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that passes packet data, which the imported function may write to. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "memory.h"

SEC("tc")
int on_traffic(struct __sk_buff *skb)
{
	void *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + sizeof(struct pair) > end)
		return 0;
	return mem_fill(data);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
