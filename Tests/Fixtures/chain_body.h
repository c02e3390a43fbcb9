/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* The function that chain.bpf.c offers, and that programs of steps_chain.bpf.c share. */
#pragma once
#define CHAIN_ITSELF
#include "chain.h"

/* How often a context of each kind had something in it. */
long seen[KINDS];

/* Reads the context that `kind` says, without a look whether it is there. */
__bpf_chain void bpf_subprog(int kind, struct pt_regs *ctx1, struct sched_switch_args *ctx2, struct __sk_buff *ctx3)
{
	if (kind == KIND_RENAME)
		seen[KIND_RENAME] += ctx1->rip != 0;
	if (kind == KIND_SWITCH)
		seen[KIND_SWITCH] += ctx2->prev_pid != ctx2->next_pid;
	if (kind == KIND_ARRIVAL)
		seen[KIND_ARRIVAL] += ctx3->len > 0;
}
