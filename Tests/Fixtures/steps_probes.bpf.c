// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Probes of a function of whoever loads them share a function. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct pt_regs;

long total;

__attribute__((noinline)) int record(int weight)
{
	__sync_fetch_and_add(&total, weight);
	return weight;
}

SEC("uprobe//proc/self/exe:guest_tests_probed")
int on_entry(struct pt_regs *ctx)
{
	record(1);
	return 0;
}

SEC("uretprobe//proc/self/exe:guest_tests_probed")
int on_return(struct pt_regs *ctx)
{
	record(10);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
