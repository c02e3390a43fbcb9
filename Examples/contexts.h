/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What programs of two types get as their context. */
#pragma once

#define NULL ((void *)0)

/* As kprobes see it on x86-64, arch/x86/include/asm/ptrace.h */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
};

/* /sys/kernel/tracing/events/sched/sched_switch/format */
struct sched_switch_args {
	unsigned long long common;
	char prev_comm[16];
	int prev_pid;
	int prev_prio;
	long prev_state;
	char next_comm[16];
	int next_pid;
	int next_prio;
};
