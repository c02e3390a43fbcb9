// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library of functions that not every program may import, and that do no harm in any program which calls them rightly. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

long calls;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} elsewhere SEC(".maps");

int plain(int value)
{
	calls++;
	return value + 1;
}

/* Only programs of some types may redirect; who passes 0 never does. */
int redirect_if(int interface)
{
	calls += 10;
	return interface ? bpf_redirect(interface, 0) : 7;
}

/* No program can make a tail call for another. */
int leave(struct __sk_buff *skb)
{
	calls += 100;
	bpf_tail_call(skb, &elsewhere, 0);
	return 5;
}

char LICENSE[] SEC("license") = "GPL";
