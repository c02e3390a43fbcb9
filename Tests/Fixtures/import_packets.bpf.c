// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Importers of functions that write to packets; none of them writes itself. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "packets.h"

/* Lets the function have the whole packet. */
SEC("tc")
int whole(struct __sk_buff *skb)
{
	write_packet(skb);
	return -1; /* TC_ACT_UNSPEC: go on */
}

/* Passes one byte of it. */
SEC("tc")
int part(struct __sk_buff *skb)
{
	unsigned char *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + UDP_DATA + 1 <= end && data[IP_PROTOCOL] == 17)
		write_byte((struct byte *)(data + UDP_DATA));
	return -1;
}

SEC("cgroup_skb/ingress")
int read_only(struct __sk_buff *skb)
{
	unsigned char *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 1 <= end)
		write_byte((struct byte *)data);
	return 1;
}

SEC("tc")
int stale(struct __sk_buff *skb)
{
	unsigned char *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 1 > end)
		return 0;
	pull_packet(skb);
	return data[0];
}

SEC("tc")
int fresh(struct __sk_buff *skb)
{
	unsigned char *data, *end;

	if (pull_packet(skb))
		return -2;
	data = (void *)(long)skb->data;
	end = (void *)(long)skb->data_end;
	return data + 13 <= end ? data[12] : -3;
}

/* The function would lose the memory that it was given. */
SEC("tc")
int pulled_away(struct __sk_buff *skb)
{
	unsigned char *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + 1 > end)
		return 0;
	return pull_and_fill(skb, (struct byte *)data);
}

SEC("xdp")
int frame(struct xdp_md *ctx)
{
	unsigned char *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + UDP_DATA + 1 <= end)
		write_byte((struct byte *)(data + UDP_DATA));
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
