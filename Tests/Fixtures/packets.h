/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What packets.bpf.c offers. */
#pragma once

/* Offsets behind the Ethernet header's start. */
#define IP_PROTOCOL (14 + 9)
#define UDP_DATA (14 + 20 + 8)

struct byte {
	unsigned char value;
};

#ifndef PACKETS_ITSELF
extern int write_packet(struct __sk_buff *skb);
extern void write_byte(struct byte *byte);
extern int pull_packet(struct __sk_buff *skb);
extern int pull_and_fill(struct __sk_buff *skb, struct byte *byte);
#endif
