// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A program at a mark that another program has for tracing (USDT); Tests/HostTests has that one. */
#include "real.h"
#include <bpf/usdt.bpf.h>

long sum;

SEC("usdt/bpflink_marked:bpflink:called")
int BPF_USDT(on_mark, int first, long second)
{
	sum += first * 10 + second;
	touch(0);
	return 0;
}
