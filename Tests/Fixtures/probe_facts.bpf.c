// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library of functions for probes: two that interfere with what is probed, one that does not. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <asm/ptrace.h>
#define ATTACH_FACTS_ITSELF
#include "attach_facts.h"

int force_result(struct pt_regs *ctx)
{
	return bpf_override_return(ctx, 7);
}

int change_argument(struct pt_regs *ctx)
{
	ctx->rdi = 41;
	return 0;
}

int argument(struct pt_regs *ctx)
{
	return ctx->rdi;
}

char LICENSE[] SEC("license") = "GPL";
