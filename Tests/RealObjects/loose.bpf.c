// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Code in sections that name no type of program. */
#include "real.h"

SEC("apart") __noinline int aside(int value)
{
	return value * 3;
}

SEC("socket")
int filter(struct __sk_buff *skb)
{
	return aside(touch(skb->len));
}
