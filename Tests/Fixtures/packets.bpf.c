// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library of functions that write to packets or change them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define PACKETS_ITSELF
#include "packets.h"

/* To where the data of a UDP datagram without IP options begin. */
int write_packet(struct __sk_buff *skb)
{
	unsigned char *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;

	if (data + UDP_DATA + 1 > end || data[IP_PROTOCOL] != 17)
		return 0;
	data[UDP_DATA] = 'Y';
	return 1;
}

void write_byte(struct byte *byte)
{
	if (byte && byte->value == 'x')
		byte->value = 'Y';
}

int pull_packet(struct __sk_buff *skb)
{
	return bpf_skb_pull_data(skb, 0);
}

int pull_and_fill(struct __sk_buff *skb, struct byte *byte)
{
	if (byte)
		byte->value = 1;
	return bpf_skb_pull_data(skb, 0);
}

char LICENSE[] SEC("license") = "GPL";
