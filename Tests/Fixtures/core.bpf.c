// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library that reads a kernel structure: libbpf relocates its fields (CO-RE). */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct task_struct {
	int pid;
	int tgid;
} __attribute__((preserve_access_index));

int task_field(int which)
{
	return which ? bpf_core_field_offset(struct task_struct, pid) : bpf_core_field_offset(struct task_struct, tgid);
}

char LICENSE[] SEC("license") = "GPL";
