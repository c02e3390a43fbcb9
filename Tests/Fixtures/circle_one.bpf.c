// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library that imports from the next of three. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "circle.h"

static __attribute__((noinline)) int step_one(int value)
{
	return circle_two(value - 1);
}

int circle_one(int value)
{
	return value > 0 ? step_one(value) : 0;
}

char LICENSE[] SEC("license") = "GPL";
