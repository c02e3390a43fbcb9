// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library: functions that are safe for what their callers pass, which is verified with each of these. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "chain_body.h"

/* Not marked: kept with what calls it, and offered to nobody. */
static __attribute__((noinline)) int added(const long *place, int times)
{
	return *place + times;
}

/* Nobody calls it here, and it takes its argument on trust. */
__bpf_chain static int count_at(long *place, int times)
{
	*place = added(place, times);
	return times;
}

/* An export like any other. */
__attribute__((noinline)) int doubled(int value)
{
	return value * 2;
}

char LICENSE[] SEC("license") = "GPL";
