// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A program of a type that neither exports nor imports, and one of another type, with a function of both. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

long calls;

__attribute__((noinline)) int next(int value)
{
	calls++;
	return value + 1;
}

SEC("sockops")
int on_connection(struct bpf_sock_ops *ctx)
{
	return next(0) > 0;
}

SEC("tc")
int on_queue(struct __sk_buff *skb)
{
	return next(3);
}

char LICENSE[] SEC("license") = "GPL";
