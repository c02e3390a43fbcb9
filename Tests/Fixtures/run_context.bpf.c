// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library that asks where it runs: to each program type the helpers are other functions of the kernel. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define RUN_CONTEXT_ITSELF
#include "run_context.h"

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 64);
	__uint(key_size, 4);
	__uint(value_size, 8 * 32);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
} events SEC(".maps");

/* A bucket that is taken is as good as a new one. */
long stack_of(void *ctx CONTEXT)
{
	return bpf_get_stackid(ctx, &stacks, BPF_F_REUSE_STACKID);
}

/* Nobody reads: -ENOENT, after the context was looked at. */
long emit(void *ctx CONTEXT)
{
	long value = 1;

	return bpf_perf_event_output(ctx, &events, 0, &value, sizeof(value));
}

char LICENSE[] SEC("license") = "GPL";
