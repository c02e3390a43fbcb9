// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library with functions that are not valid by themselves, and are as a part of some programs. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "partly.h"

#define __global __attribute__((noinline))

long calls;

__global int next(int value)
{
	calls++;
	return value + 1;
}

/* Takes it on trust that there is a pair. */
__global int difference(const struct pair *pair)
{
	calls += 10;
	return pair->first - pair->second;
}

/* Has a pair for the other. */
__global int distance(int from, int to)
{
	struct pair pair = { to, from };
	int result = difference(&pair);

	return result < 0 ? -result : result;
}

/* Only programs of some types may redirect; who passes 0 never does. */
__global int redirected(int interface)
{
	calls += 100;
	return interface ? bpf_redirect(interface, 0) : 7;
}

char LICENSE[] SEC("license") = "GPL";
