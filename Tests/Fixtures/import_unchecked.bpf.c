// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer of a function that is valid as it calls it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern long first_of(const long *values);
extern long doubled(long value);

SEC("socket")
int filter(struct __sk_buff *skb)
{
	long values[] = { 21, skb->len };

	return doubled(first_of(values));
}

char LICENSE[] SEC("license") = "GPL";
