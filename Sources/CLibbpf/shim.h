/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
#pragma once
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <mntent.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/vfs.h> /* statfs(2), which Swift's Glibc module leaves out */
#include <unistd.h>

/* bpf(2) itself: syscall(2) is variadic, which Swift cannot call; attributes newer than libbpf must go in unseen by it. */
static inline long clibbpf_bpf(int command, void *attr, unsigned int size)
{
	return syscall(SYS_bpf, command, attr, size);
}

/* perf_event_open(2), which has no wrapper: a software event of every process on one CPU, that many times per second. */
static inline int clibbpf_software_event(unsigned long long event, unsigned long long frequency, int cpu)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr), .type = PERF_TYPE_SOFTWARE, .config = event, .freq = 1, .sample_freq = frequency,
	};

	return syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

/* dup3(2): <unistd.h> declares it for _GNU_SOURCE only. */
extern int dup3(int old_number, int new_number, int flags);

/* vsnprintf(3) that leaves the arguments to be used again: Swift has no va_copy. */
static inline int clibbpf_format(char *buffer, size_t size, const char *format, va_list arguments)
{
	va_list copy;
	int length;

	va_copy(copy, arguments);
	length = vsnprintf(buffer, size, format, copy);
	va_end(copy);
	return length;
}

/* The name of a helper: <linux/bpf.h> lists them for use by the preprocessor only. */
static inline const char *clibbpf_helper_name(int number)
{
#ifdef ___BPF_FUNC_MAPPER /* since Linux 6.2, without commas between the names */
#define CLIBBPF_NAME(name, ...) #name,
#else
#define CLIBBPF_NAME(name) #name
#endif
	static const char *const names[] = { __BPF_FUNC_MAPPER(CLIBBPF_NAME) };
#undef CLIBBPF_NAME

	return number > 0 && (unsigned long)number < sizeof(names) / sizeof(*names) ? names[number] : NULL;
}
