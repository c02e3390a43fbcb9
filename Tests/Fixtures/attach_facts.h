/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What attach_facts.bpf.c, probe_facts.bpf.c and far_context.bpf.c offer. */
#pragma once
#include "tags.h"

struct far_record {
	long words[200];
};

#ifndef ATTACH_FACTS_ITSELF
extern long far_field(void *record);
extern long near_field(void *record);
extern int force_result(struct pt_regs *ctx);
extern int change_argument(struct pt_regs *ctx);
extern int argument(struct pt_regs *ctx);
extern long far_word(struct far_record *record);
#endif
