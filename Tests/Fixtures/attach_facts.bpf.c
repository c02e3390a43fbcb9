// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library of functions whose code only some attachments bear. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <asm/ptrace.h>
#define ATTACH_FACTS_ITSELF
#include "attach_facts.h"

/* More than the records of most tracepoints have. */
long far_field(void *record CONTEXT)
{
	return *(long *)(record + 1024);
}

long near_field(void *record CONTEXT)
{
	return *(int *)(record + 24);
}

char LICENSE[] SEC("license") = "GPL";
