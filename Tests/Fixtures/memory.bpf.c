// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library whose functions take memory, large results and many arguments. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define MEMORY_ITSELF
#include "memory.h"

int mem_fill(struct pair *pair)
{
	if (!pair)
		return -1;
	pair->a = 11;
	pair->b = 22;
	return 0;
}

int mem_swap(struct pair *pair NONNULL)
{
	long a = pair->a;

	pair->a = pair->b;
	pair->b = a;
	return 1;
}

void mem_add(long *sum, int value)
{
	if (sum)
		*sum += value;
}

int mem_bytes(char (*text)[16])
{
	int i, sum = 0;

	if (!text)
		return -1;
	for (i = 0; i < 16; i++)
		sum += (*text)[i];
	return sum;
}

unsigned long mem_wide(void)
{
	return 0x1122334455667788;
}

int mem_negative(void)
{
	return -2;
}

long mem_weigh(long a, int b, short c, unsigned char d, enum weight e)
{
	return a + 10 * b + 100 * c + 1000 * d + 10000 * e;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
