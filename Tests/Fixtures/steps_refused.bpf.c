// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Sharing that only the kernel can refuse, for one program or for all; what is left is shared. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define __global __attribute__((noinline))

struct pt_regs;

struct header {
	unsigned char address[6];
};

long total;
/* 0 when the kernel verifies: what it guards is dead code. */
const volatile int never;

__global int record(int weight)
{
	__sync_fetch_and_add(&total, weight);
	return weight;
}

__global int first_byte(const struct header *header)
{
	return header ? header->address[0] : 0;
}

/* Calls a helper that networking programs have only. */
__global int checksum(int value)
{
	unsigned int words = value;

	return bpf_csum_diff(0, 0, &words, sizeof(words), 0) != 0;
}

/* Calls a helper that tracing programs have only. */
__global long peek(unsigned long address)
{
	long value = 0;

	bpf_probe_read(&value, sizeof(value), (void *)address);
	return value;
}

/* A program that never calls `checksum` need not be one that could: but an import of it has to be valid. */
SEC("kprobe/__set_task_comm")
int on_rename(struct pt_regs *ctx)
{
	if (never)
		return checksum(3);
	return record(1) + peek(0);
}

SEC("tracepoint/sched/sched_switch")
int on_switch(void *ctx)
{
	return record(1) + peek(0);
}

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	struct header header = {};

	record(1);
	return checksum(5) && !first_byte(&header) ? XDP_PASS : XDP_DROP;
}

SEC("tc")
int on_queue(struct __sk_buff *skb)
{
	struct header header = {};

	if (never)
		return peek(0);
	return record(checksum(5)) + first_byte(&header);
}

char LICENSE[] SEC("license") = "GPL";
