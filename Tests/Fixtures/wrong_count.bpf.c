// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer that declares bpf_subprog with an argument too many. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct event {
	int weight;
	long stamp;
};

extern int bpf_subprog(int kind, const struct event *event, int flags);

SEC("socket")
int filter(struct __sk_buff *skb)
{
	struct event event = { .weight = 1, .stamp = 2 };

	return bpf_subprog(1, &event, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
