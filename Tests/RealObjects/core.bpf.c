// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* CO-RE: fields, bit fields, sizes, enumerators and types that the running kernel has at other places, or not at all. */
#include "real.h"

struct task_struct___old {
	long state;
} __attribute__((preserve_access_index));

struct no_such_type___nowhere {
	int member;
};

enum bpf_map_type___other {
	BPF_MAP_TYPE_RINGBUF___other = 1000,
	BPF_MAP_TYPE_NEVER___other = 1001,
};

int pids, sizes, states, versions;

SEC("raw_tp/sched_switch")
int on_switch(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *next = (void *)ctx->args[2];
	struct task_struct___old *old = (void *)next;

	pids = BPF_CORE_READ(next, tgid) + BPF_CORE_READ(next, real_parent, pid);
	if (bpf_core_field_exists(old->state))
		states = BPF_CORE_READ(old, state);
	else
		states = BPF_CORE_READ(next, __state);
	sizes = bpf_core_type_size(struct task_struct) + bpf_core_field_size(next->comm);
	if (bpf_core_type_exists(struct no_such_type___nowhere))
		sizes = 0;
	versions = BPF_CORE_READ_BITFIELD_PROBED(next, sched_reset_on_fork);
	return touch(0);
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *task)
{
	pids = task->pid + task->mm->task_size % 7;
	versions = BPF_CORE_READ_BITFIELD(task, in_execve);
	if (bpf_core_enum_value_exists(enum bpf_map_type___other, BPF_MAP_TYPE_RINGBUF___other))
		versions += bpf_core_enum_value(enum bpf_map_type___other, BPF_MAP_TYPE_RINGBUF___other);
	if (bpf_core_enum_value_exists(enum bpf_map_type___other, BPF_MAP_TYPE_NEVER___other))
		versions = 0;
	return touch(0);
}

SEC("kprobe/__set_task_comm")
int BPF_KPROBE(on_rename, struct task_struct *task)
{
	char comm[16];

	bpf_core_read_str(comm, sizeof(comm), &task->comm);
	pids = comm[0] + touch(1);
	return 0;
}
