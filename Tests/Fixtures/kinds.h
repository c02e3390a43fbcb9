/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What kinds.bpf.c offers. */
#pragma once
#include "tags.h"

struct bpf_dynptr;

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

#ifndef KINDS_ITSELF
extern int context_length(struct __sk_buff *skb);
extern int dynptr_first(struct bpf_dynptr *data);
extern int task_pid(struct task_struct *task);
extern int task_pid_or_less(struct task_struct *task);
extern int task_pid_unsure(struct task_struct *task);
#endif
