// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library with a function that sleeps. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#define SLEEPABLE_ITSELF
#include "sleepable.h"

long user_word(unsigned long address)
{
	long word = 0;

	if (bpf_copy_from_user(&word, sizeof(word), (void *)address))
		return -1;
	return word;
}

char LICENSE[] SEC("license") = "GPL";
