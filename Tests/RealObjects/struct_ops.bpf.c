// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A congestion control for TCP, as a map of functions. */
#include "real.h"

SEC("struct_ops/restart")
__u32 BPF_PROG(restart, struct sock *sk)
{
	return touch(2);
}

SEC("struct_ops/undo")
__u32 BPF_PROG(undo, struct sock *sk)
{
	return touch(10);
}

SEC("struct_ops/avoid")
void BPF_PROG(avoid, struct sock *sk, __u32 ack, __u32 acked)
{
	touch(ack);
}

SEC(".struct_ops")
struct tcp_congestion_ops real_congestion = {
	.ssthresh = (void *)restart,
	.undo_cwnd = (void *)undo,
	.cong_avoid = (void *)avoid,
	.name = "bpflink_real",
};
