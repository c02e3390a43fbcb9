// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer of what a program with imports of its own exports. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int twice(int value);

SEC("socket")
int filter(struct __sk_buff *skb)
{
	return twice(50);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
