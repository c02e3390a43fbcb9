// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer with frames large enough for the kernel to put them on a private stack. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "subprog.h"

long checked, broken;

static __attribute__((noinline)) int keep(int seed)
{
	volatile long kept[24];
	struct event event = { .weight = 1, .stamp = 1 };
	int i;

	for (i = 0; i < 24; i++)
		kept[i] = seed + i;
	bpf_subprog(KIND_KPROBE, &event);
	for (i = 0; i < 24; i++)
		if (kept[i] != seed + i)
			return 1;
	return 0;
}

SEC("kprobe/__set_task_comm")
int on_rename(void *ctx)
{
	volatile long kept[24];
	int i;

	for (i = 0; i < 24; i++)
		kept[i] = 1000 + i;
	broken += keep(17);
	for (i = 0; i < 24; i++)
		if (kept[i] != 1000 + i)
			broken++;
	checked++;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
