/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What chain.bpf.c offers. */
#pragma once
#include <asm/ptrace.h>
#include <bpflink.h>
#include "sched_switch.h"

/* What bpf_subprog() is told of its caller. */
enum kind { KIND_RENAME = 1, KIND_SWITCH, KIND_ARRIVAL, KINDS };

#ifndef CHAIN_ITSELF
extern void bpf_subprog(int kind, struct pt_regs *ctx1, struct sched_switch_args *ctx2, struct __sk_buff *ctx3);
extern int count_at(long *place, int times);
extern int doubled(int value);
#endif
