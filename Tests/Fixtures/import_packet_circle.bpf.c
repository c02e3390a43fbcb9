// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Importers of a function that changes packets. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int change_in_circle(struct __sk_buff *skb);

SEC("tc")
int stale(struct __sk_buff *skb)
{
	unsigned char *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 20 > end)
		return 0;
	change_in_circle(skb);
	data[16] = 1;
	return 1;
}

SEC("tc")
int fresh(struct __sk_buff *skb)
{
	return change_in_circle(skb) ? -1 : skb->len;
}

char LICENSE[] SEC("license") = "GPL";
