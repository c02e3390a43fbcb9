// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* What memory.bpf.c offers. */
#pragma once

#define NONNULL __attribute__((btf_decl_tag("arg:nonnull")))

struct pair {
	long a, b;
};

enum weight { LIGHT = 1, HEAVY = 5 };

#ifndef MEMORY_ITSELF
extern int mem_fill(struct pair *pair);
extern int mem_swap(struct pair *pair);
extern void mem_add(long *sum, int value);
extern int mem_bytes(char (*text)[16]);
extern unsigned long mem_wide(void);
extern int mem_negative(void);
extern long mem_weigh(long a, int b, short c, unsigned char d, enum weight e);
#endif
