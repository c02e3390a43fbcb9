// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* The other object of `bpftool gen object`. */
#include "real.h"

int counted = 3;
const int factor = 4;

static __noinline int local(int value)
{
	return value * factor;
}

int chosen(int value)
{
	return value + 7;
}

int scale(int value)
{
	return local(value) + counted;
}

SEC("tc")
int on_queue(struct __sk_buff *skb)
{
	return scale(skb->len) & 1;
}
