// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Sharing that only the kernel can refuse; what is left is shared. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define __global __attribute__((noinline))

struct pt_regs;

struct header {
	unsigned char address[6];
};

long total;

__global int record(int weight)
{
	__sync_fetch_and_add(&total, weight);
	return weight;
}

/* Calls a helper that any program may call, but not for others. */
__global int thread(int mask)
{
	return (bpf_get_current_task() & mask) != 0;
}

/* Calls a helper that only tracing programs may call, which the provider is none of. */
__global long peek(unsigned long address)
{
	long value = 0;

	bpf_probe_read(&value, sizeof(value), (void *)address);
	return value;
}

__global int first_byte(const struct header *header)
{
	return header ? header->address[0] : 0;
}

SEC("kprobe/__set_task_comm")
int on_rename(struct pt_regs *ctx)
{
	struct header header = {};

	if (first_byte(&header) > 1)
		return peek(0);
	return record(thread(1) + 1);
}

SEC("tracepoint/sched/sched_switch")
int on_switch(void *ctx)
{
	struct header header = {};

	if (first_byte(&header) > 1)
		return peek(0);
	return record(thread(1) + 1);
}

/* Passes a part of the packet, which an import cannot take. */
SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	struct header *header = (void *)(long)ctx->data;

	if ((void *)(header + 1) > (void *)(long)ctx->data_end)
		return XDP_PASS;
	record(1);
	return first_byte(header) == 255 ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
