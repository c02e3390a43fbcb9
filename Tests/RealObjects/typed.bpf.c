// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Programs whose section names a function, a tracepoint or a kind of the kernel by its BTF; some may sleep. */
#include "real.h"

int seen;

SEC("fentry/__set_task_comm")
int BPF_PROG(entry, struct task_struct *task, const char *name)
{
	seen = task->pid;
	touch(0);
	return 0;
}

SEC("fexit/__set_task_comm")
int BPF_PROG(leave, struct task_struct *task, const char *name)
{
	seen = task->pid + 1;
	touch(0);
	return 0;
}

SEC("fentry.s/__x64_sys_getpgid")
int BPF_PROG(sleepy_entry)
{
	touch(0);
	return 0;
}

SEC("fexit.s/__x64_sys_getpgid")
int BPF_PROG(sleepy_leave)
{
	touch(0);
	return 0;
}

SEC("fmod_ret/security_file_open")
int BPF_PROG(decide, struct file *file, int status)
{
	touch(0);
	return status;
}

SEC("lsm/file_open")
int BPF_PROG(guard, struct file *file, int status)
{
	seen = file->f_flags;
	touch(0);
	return status;
}

SEC("lsm.s/bprm_committed_creds")
int BPF_PROG(sleepy_guard, struct linux_binprm *program)
{
	char byte = 0;

	bpf_copy_from_user(&byte, 1, (void *)program->p);
	touch(byte);
	return 0;
}

SEC("lsm_cgroup/file_open")
int BPF_PROG(cgroup_guard, struct file *file)
{
	touch(1);
	return 1;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(switched, bool preempt, struct task_struct *previous, struct task_struct *next)
{
	seen = next->tgid;
	touch(0);
	return 0;
}

SEC("iter/task")
int each_task(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;

	if (task)
		BPF_SEQ_PRINTF(ctx->meta->seq, "%d %s\n", task->pid, task->comm);
	touch(0);
	return 0;
}

SEC("iter.s/task")
int each_sleepy_task(struct bpf_iter__task *ctx)
{
	touch(0);
	return 0;
}

SEC("iter/bpf_map")
int each_map(struct bpf_iter__bpf_map *ctx)
{
	struct bpf_map *map = ctx->map;

	if (map)
		BPF_SEQ_PRINTF(ctx->meta->seq, "%u\n", map->id);
	touch(0);
	return 0;
}

SEC("syscall")
int asked(void *ctx)
{
	touch(0);
	return 0;
}
