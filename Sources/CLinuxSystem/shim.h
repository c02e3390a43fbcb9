/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* Linux interfaces of the C library that Swift's Glibc module leaves out. */
#pragma once

#include <spawn.h>
#include <sys/pidfd.h>    /* pidfd_open: wait for QEMU in poll(2) */
#include <sys/reboot.h>   /* reboot: how the guest agent ends a machine */
#include <sys/signalfd.h> /* signalfd: SIGCHLD, SIGINT and SIGWINCH in poll(2) */

/* That module is built without _GNU_SOURCE, which hides these in the C library's own headers. */
int pipe2(int descriptors[2], int flags);
int mkostemp(char *template, int flags);
#ifndef POSIX_SPAWN_SETSID
#define POSIX_SPAWN_SETSID 0x80
#endif

/* perf_event_open(2) of a clock that ticks on one CPU: syscall(2) is variadic, which Swift cannot call. */
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>
static inline int clinux_open_cpu_clock(int cpu, unsigned long nanoseconds)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = nanoseconds,
	};

	return syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

/*
 * perf_event_open(2) of a probe at the entry of a kernel function, which counts its hits by this task. TYPE is what
 * /sys/bus/event_source/devices/kprobe/type says.
 */
static inline int clinux_open_kprobe(unsigned int type, const char *function)
{
	struct perf_event_attr attr = {
		.type = type,
		.size = sizeof(attr),
		.kprobe_func = (unsigned long)function,
	};

	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}
