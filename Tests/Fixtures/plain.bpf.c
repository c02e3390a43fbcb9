// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* No imports, no exports: a program, its static subprogram, a map, global data. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int seen;

static __attribute__((noinline)) int add(int a, int b)
{
	return a + b;
}

SEC("socket")
int filter(struct __sk_buff *skb)
{
	seen = add(seen, 1);
	return add(skb->len, seen);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
