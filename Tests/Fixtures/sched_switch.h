/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
#pragma once

/* /sys/kernel/tracing/events/sched/sched_switch/format */
struct sched_switch_args {
	unsigned long long common;
	char prev_comm[16];
	int prev_pid, prev_prio;
	long prev_state;
	char next_comm[16];
	int next_pid, next_prio;
};
