// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* One of the objects that `bpftool gen object` makes one of: a program, and functions of the other. */
#include "real.h"

extern int scale(int value);
extern int counted;
extern const int factor __weak;

static __noinline int local(int value)
{
	return value + 1;
}

__weak __noinline int chosen(int value)
{
	return value;
}

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	counted++;
	return local(scale(ctx->rx_queue_index)) + chosen(1) + touch(2) > 2 ? XDP_PASS : XDP_DROP;
}
