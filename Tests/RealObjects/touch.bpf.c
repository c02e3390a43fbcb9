// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* What the objects of this directory import when they are made to. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

long touched;

int touch(int value)
{
	__sync_fetch_and_add(&touched, 1);
	return value;
}

char LICENSE[] SEC("license") = "GPL";
