// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library: reads far beyond what most tracepoints record, if it is given a record at all. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define ATTACH_FACTS_ITSELF
#include "attach_facts.h"

long far_word(struct far_record *record CONTEXT_OF(tracepoint))
{
	return record ? record->words[128] : 0;
}

char LICENSE[] SEC("license") = "GPL";
