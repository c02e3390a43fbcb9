// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Zeroes in a section of their own. */
#include "real.h"

long own_zeroes[3] SEC(".bss.own");

SEC("socket")
int filter(struct __sk_buff *skb)
{
	return own_zeroes[skb->len & 1] += touch(1);
}
