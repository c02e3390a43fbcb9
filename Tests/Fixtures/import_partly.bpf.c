// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Importers of partly.bpf.c in which all that they import is valid. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "partly.h"

extern int next(int value);
extern int difference(const struct pair *pair);
extern int distance(int from, int to);
extern int redirected(int interface);

SEC("socket")
int filter(struct __sk_buff *skb)
{
	struct pair pair = { 9, 4 };

	return next(1) + difference(&pair) + distance(4, 1);
}

SEC("tc")
int on_queue(struct __sk_buff *skb)
{
	return next(1) + redirected(0);
}

char LICENSE[] SEC("license") = "GPL";
