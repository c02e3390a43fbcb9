// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Subprograms with sections of their own beside .text. */
#include "real.h"

__attribute__((section(".text.cold"), noinline)) static int cold(int value)
{
	return value * 5 + 1;
}

__noinline int known(int value)
{
	return value + 2;
}

SEC("socket")
int filter(struct __sk_buff *skb)
{
	return known(touch(skb->len));
}

SEC("?socket")
int cold_filter(struct __sk_buff *skb)
{
	return cold(touch(skb->len));
}
