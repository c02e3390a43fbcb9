// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Externs that libbpf resolves by itself beside one that is an import. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct task_struct;
extern struct task_struct *bpf_task_from_pid(int pid) __ksym;
extern void bpf_task_release(struct task_struct *task) __ksym;
extern unsigned int LINUX_KERNEL_VERSION __kconfig;
extern const int jiffies __ksym __weak;
extern int bpf_subprog_scale(int value, unsigned short factor);

SEC("tp_btf/sched_switch")
int on_switch(void *ctx)
{
	struct task_struct *task = bpf_task_from_pid(1);

	if (task)
		bpf_task_release(task);
	return bpf_subprog_scale(LINUX_KERNEL_VERSION, 1) + !&jiffies;
}

char LICENSE[] SEC("license") = "GPL";
