// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library whose functions take what is no plain memory. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define KINDS_ITSELF
#include "kinds.h"

int context_length(struct __sk_buff *skb)
{
	return skb->len;
}

int dynptr_first(struct bpf_dynptr *data)
{
	char first = 0;

	if (bpf_dynptr_read(&first, 1, data, 0, 0))
		return -1;
	return first;
}

int task_pid(struct task_struct *task TRUSTED)
{
	return task->pid;
}

int task_pid_or_less(struct task_struct *task TRUSTED NULLABLE)
{
	return task ? task->pid : -1;
}

int task_pid_unsure(struct task_struct *task UNTRUSTED)
{
	return task->pid;
}

char LICENSE[] SEC("license") = "GPL";
