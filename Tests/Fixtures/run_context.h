/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What run_context.bpf.c and addresses.bpf.c offer. */
#pragma once
#include "tags.h"

#ifndef RUN_CONTEXT_ITSELF
extern long stack_of(void *ctx);
extern long emit(void *ctx);
extern unsigned long address_of(void *ctx);
#endif
