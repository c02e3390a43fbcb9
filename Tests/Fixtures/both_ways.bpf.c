// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library with a callback that runs at once and, by a timer, later. */
#include <linux/bpf.h>
#include <linux/time.h>
#include <bpf/bpf_helpers.h>
#include "clock.h"

static int visit(void *map, int *key, struct clock *clock)
{
	return 0;
}

int foreign(struct __sk_buff *skb)
{
	int key = 0;
	struct clock *clock = bpf_map_lookup_elem(&clocks, &key);

	if (clock)
		bpf_timer_set_callback(&clock->timer, visit);
	return bpf_for_each_map_elem(&clocks, visit, 0, 0);
}

char LICENSE[] SEC("license") = "GPL";
