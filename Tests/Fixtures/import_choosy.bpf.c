// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Importers of choosy.bpf.c, of which the kernel refuses some of what they import. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int plain(int value);
extern int redirect_if(int interface);
extern int leave(struct __sk_buff *skb);

SEC("tc")
int on_queue(struct __sk_buff *skb)
{
	return plain(1) + redirect_if(0);
}

SEC("cgroup_skb/ingress")
int on_arrival(struct __sk_buff *skb)
{
	return plain(1) + redirect_if(0) == 9;
}

SEC("tc")
int on_leaving(struct __sk_buff *skb)
{
	return plain(2) + leave(skb);
}

char LICENSE[] SEC("license") = "GPL";
