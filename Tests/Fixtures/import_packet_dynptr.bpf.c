// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Importers that pass a dynptr of a packet, and go on with what they know of that. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "kinds.h"

extern int bpf_dynptr_from_skb(struct __sk_buff *skb, unsigned long flags, struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_from_skb_meta(struct __sk_buff *skb, unsigned long flags, struct bpf_dynptr *ptr) __ksym;
extern int bpf_dynptr_from_xdp(struct xdp_md *xdp, unsigned long flags, struct bpf_dynptr *ptr) __ksym;

SEC("tc")
int packet(struct __sk_buff *skb)
{
	unsigned char *begin = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct bpf_dynptr data;

	if (begin + 1 > end || bpf_dynptr_from_skb(skb, 0, &data))
		return 0;
	return dynptr_first(&data) + *begin;
}

SEC("tc")
int metadata(struct __sk_buff *skb)
{
	struct bpf_dynptr data;

	if (bpf_dynptr_from_skb_meta(skb, 0, &data))
		return 0;
	return dynptr_first(&data);
}

SEC("xdp")
int frame(struct xdp_md *xdp)
{
	struct bpf_dynptr data;

	if (bpf_dynptr_from_xdp(xdp, 0, &data))
		return 0;
	return dynptr_first(&data);
}

char LICENSE[] SEC("license") = "GPL";
