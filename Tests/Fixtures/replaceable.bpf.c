// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A program with a function that another program can take the place of. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

volatile int verdict = XDP_PASS;

__attribute__((noinline)) int replaced(struct xdp_md *ctx)
{
	return verdict;
}

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	return replaced(ctx);
}

char LICENSE[] SEC("license") = "GPL";
