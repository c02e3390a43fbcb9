// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A map of functions, and a program that has nothing to do with it. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct sock;

/* As much of the kernel's structure as is used: libbpf finds members by their names. */
struct tcp_congestion_ops {
	unsigned int (*ssthresh)(struct sock *sk);
	char name[16];
};

SEC("struct_ops/restart")
unsigned int restart(unsigned long long *ctx)
{
	return 2;
}

SEC(".struct_ops")
struct tcp_congestion_ops bpflink_control = {
	.ssthresh = (void *)restart,
	.name = "bpflink_control",
};

SEC("socket")
int filter(struct __sk_buff *skb)
{
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
