// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer: a kprobe. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "subprog.h"

SEC("kprobe/__set_task_comm")
int on_rename(void *ctx)
{
	struct event event = { .weight = 1, .stamp = 1 };

	bpf_subprog(KIND_KPROBE, &event);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
