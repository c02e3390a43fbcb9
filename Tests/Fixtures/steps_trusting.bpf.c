// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Programs that share functions which no kernel takes as exports: they are safe for what these programs pass. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define __global __attribute__((noinline))

long calls;

/* Takes it on trust that there are values. */
__global int first(const int *values)
{
	calls++;
	return values[0];
}

/* A pointer to whatever it may be. */
__global int is_there(const void *something)
{
	return something != 0;
}

SEC("tc")
int on_queue(struct __sk_buff *skb)
{
	int values[] = { 7 };

	return first(values) + is_there(values);
}

SEC("socket")
int filter(struct __sk_buff *skb)
{
	int values[] = { 8 };

	return first(values) + is_there(0);
}

char LICENSE[] SEC("license") = "GPL";
