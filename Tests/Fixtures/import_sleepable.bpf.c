// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Importers that sleep, some of them where they must not. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <asm/ptrace.h>
#include "sleepable.h"

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

long word, count;

SEC("uprobe.s//proc/self/exe:guest_tests_probed")
int on_entry(struct pt_regs *ctx)
{
	/* The return address is on top of the stack. */
	word = user_word(ctx->rsp);
	count = count_inner(5);
	return 0;
}

SEC("uprobe.s//proc/self/exe:guest_tests_probed")
int on_entry_counting(struct pt_regs *ctx)
{
	count = count_inner(5);
	return 0;
}

SEC("uprobe//proc/self/exe:guest_tests_probed")
int on_entry_awake(struct pt_regs *ctx)
{
	count = count_inner(7);
	return 0;
}

SEC("uprobe//proc/self/exe:guest_tests_probed")
int sleeps_without_leave(struct pt_regs *ctx)
{
	word = user_word(ctx->rsp);
	return 0;
}

SEC("uprobe.s//proc/self/exe:guest_tests_probed")
int in_rcu_section(struct pt_regs *ctx)
{
	bpf_rcu_read_lock();
	count = count_inner(1);
	bpf_rcu_read_unlock();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
