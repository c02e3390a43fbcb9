// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Functions of the kernel, one of them weak and in no kernel. */
#include "real.h"

extern struct task_struct *bpf_task_acquire(struct task_struct *task) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void nobody_has_this(int) __ksym __weak;

int seen;

SEC("tp_btf/task_newtask")
int BPF_PROG(on_task, struct task_struct *task, u64 flags)
{
	struct task_struct *held = bpf_task_acquire(task);

	if (held) {
		seen = held->pid;
		bpf_task_release(held);
	}
	if (nobody_has_this)
		nobody_has_this(1);
	return touch(0);
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(on_wakeup, struct task_struct *task)
{
	struct task_struct *parent;

	bpf_rcu_read_lock();
	parent = task->real_parent;
	if (parent)
		seen = parent->pid;
	bpf_rcu_read_unlock();
	return touch(0);
}
