// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library that has a timer run on, whoever started it. */
#include <linux/bpf.h>
#include <linux/time.h>
#include <bpf/bpf_helpers.h>
#include "clock.h"

#define INTERVAL 2000000

long ticks;

static int tick(void *map, int *key, struct clock *clock)
{
	__sync_fetch_and_add(&ticks, 1);
	/* It refers to itself. */
	bpf_timer_set_callback(&clock->timer, tick);
	bpf_timer_start(&clock->timer, INTERVAL, 0);
	return 0;
}

int start(void)
{
	int key = 0;
	struct clock *clock = bpf_map_lookup_elem(&clocks, &key);

	if (!clock || bpf_timer_init(&clock->timer, &clocks, CLOCK_MONOTONIC) ||
	    bpf_timer_set_callback(&clock->timer, tick))
		return -1;
	return bpf_timer_start(&clock->timer, INTERVAL, 0) + 1;
}

char LICENSE[] SEC("license") = "GPL";
