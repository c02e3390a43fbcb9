// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Functions that change packets and call each other in a circle, which a callback and a call that is never made close. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "clock.h"

__attribute__((noinline)) int change_in_circle(struct __sk_buff *skb);

static int again(void *map, int *key, struct clock *clock)
{
	long never;

	/* Known to the verifier, but not to the compiler. */
	asm volatile("%0 = 0" : "=r"(never));
	return never ? change_in_circle((void *)never) : 0;
}

static __attribute__((noinline)) int shorten(struct __sk_buff *skb)
{
	return bpf_skb_change_tail(skb, 50, 0);
}

__attribute__((noinline)) int change_and_name_callback(struct __sk_buff *skb)
{
	int key = 0, result = shorten(skb);
	struct clock *clock = bpf_map_lookup_elem(&clocks, &key);

	if (clock)
		bpf_timer_set_callback(&clock->timer, again);
	return result;
}

__attribute__((noinline)) int change_in_circle(struct __sk_buff *skb)
{
	return change_and_name_callback(skb);
}

char LICENSE[] SEC("license") = "GPL";
