// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Importers that ask, by the same functions, where they run. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "run_context.h"

long stack[3], sent[3];
unsigned long address[2];

SEC("kprobe/__set_task_comm")
int on_rename(void *ctx)
{
	stack[0] = stack_of(ctx) + 1;
	sent[0] = emit(ctx);
	return 0;
}

SEC("tracepoint/sched/sched_switch")
int on_switch(void *ctx)
{
	stack[1] = stack_of(ctx) + 1;
	sent[1] = emit(ctx);
	return 0;
}

SEC("raw_tp/sys_enter")
int on_call(void *ctx)
{
	stack[2] = stack_of(ctx) + 1;
	sent[2] = emit(ctx);
	return 0;
}

SEC("kprobe/__set_task_comm")
int probed_address(void *ctx)
{
	address[0] = address_of(ctx);
	return 0;
}

SEC("fentry/bpf_fentry_test1")
int traced_address(void *ctx)
{
	address[1] = address_of(ctx);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
