// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library with a global function as a callback, which the verifier takes only if it is static: it can be copied, not called. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

int add_each(unsigned int index, int *sum)
{
	*sum += index;
	return 0;
}

int sum_below(int count)
{
	int sum = 0;

	bpf_loop(count, add_each, &sum, 0);
	return sum;
}

char LICENSE[] SEC("license") = "GPL";
