// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer: a task gets another name. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "library.h"

SEC("kprobe/__set_task_comm")
int on_rename(struct pt_regs *ctx)
{
	bpf_subprog(KIND_RENAME, bpf_get_current_pid_tgid() >> 32);
	return 0;
}

#ifndef COPY
char LICENSE[] SEC("license") = "Dual BSD/GPL";
#endif
