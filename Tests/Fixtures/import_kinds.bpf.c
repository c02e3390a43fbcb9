// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Importers that pass what is no plain memory; each returns 1 more than there is wrong. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "kinds.h"

char text[8] = "x";

SEC("tc")
int context(struct __sk_buff *skb)
{
	return context_length(skb) == skb->len ? 1 : 2;
}

SEC("tc")
int dynptr(struct __sk_buff *skb)
{
	struct bpf_dynptr data;

	bpf_dynptr_from_mem(text, sizeof(text), 0, &data);
	return dynptr_first(&data) == 'x' ? 1 : 2;
}

SEC("tc")
int trusted(struct __sk_buff *skb)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task_pid(task) == (int)bpf_get_current_pid_tgid() ? 1 : 2;
}

SEC("tc")
int nullable(struct __sk_buff *skb)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task_pid_or_less(task) == (int)bpf_get_current_pid_tgid() && task_pid_or_less(0) == -1 ? 1 : 2;
}

SEC("tc")
int untrusted(struct __sk_buff *skb)
{
	struct task_struct *task = bpf_get_current_task_btf();

	/* An address that is none reads as 0. */
	return task_pid_unsure(task) == (int)bpf_get_current_pid_tgid() &&
			       task_pid_unsure((void *)0xdead0000) == 0 ?
		       1 :
		       2;
}

char LICENSE[] SEC("license") = "GPL";
