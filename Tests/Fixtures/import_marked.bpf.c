// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that asks for the full chain where the contract would do. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpflink.h>

extern int doubled(int value) __bpf_chain;

SEC("socket")
int filter(struct __sk_buff *skb)
{
	return doubled(4);
}

char LICENSE[] SEC("license") = "GPL";
