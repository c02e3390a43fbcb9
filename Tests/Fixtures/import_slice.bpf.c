// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that passes a slice of a packet, which a dynptr gave it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "memory.h"

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, unsigned long flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *ptr, unsigned int offset, void *buffer,
				   unsigned int buffer__szk) __ksym;

SEC("tc")
int on_traffic(struct __sk_buff *skb)
{
	char buffer[sizeof(struct pair)] = {};
	struct bpf_dynptr data;
	void *slice;

	if (bpf_dynptr_from_skb(skb, 0, &data))
		return 0;
	slice = bpf_dynptr_slice_rdwr(&data, 0, buffer, sizeof(buffer));
	if (!slice)
		return 0;
	return mem_fill(slice);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
