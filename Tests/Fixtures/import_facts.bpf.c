// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Importers of functions that not every attachment bears; what they attach to is in their names. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <asm/ptrace.h>
#include "attach_facts.h"

long result;

SEC("tracepoint/sched/sched_switch")
int far_at_switch(void *ctx)
{
	result = far_field(ctx);
	return 0;
}

SEC("tracepoint/sched/sched_switch")
int near_at_switch(void *ctx)
{
	result = near_field(ctx) + 1;
	return 0;
}

SEC("tracepoint/sched/sched_switch")
int far_word_at_switch(void *ctx)
{
	result = far_word(ctx);
	return 0;
}

SEC("kprobe/__set_task_comm")
int far_word_at_rename(struct pt_regs *ctx)
{
	result = far_word(0) + 1;
	return 0;
}

SEC("kprobe/__set_task_comm")
int force_at_rename(struct pt_regs *ctx)
{
	return force_result(ctx);
}

SEC("kprobe/__x64_sys_getppid")
int force_at_getppid(struct pt_regs *ctx)
{
	return force_result(ctx);
}

SEC("kprobe/__set_task_comm")
int argument_at_rename(struct pt_regs *ctx)
{
	result = argument(ctx) != 0;
	return 0;
}

SEC("kprobe/__set_task_comm")
int change_at_rename(struct pt_regs *ctx)
{
	return change_argument(ctx);
}

SEC("uprobe//proc/self/exe:guest_tests_probed")
int change_at_probed(struct pt_regs *ctx)
{
	return change_argument(ctx);
}

char LICENSE[] SEC("license") = "GPL";
