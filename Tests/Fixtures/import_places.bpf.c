// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Calls of imports from all kinds of places. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "memory.h"
#include "subprog.h"

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void bpf_preempt_disable(void) __ksym;
extern void bpf_preempt_enable(void) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
} jumps SEC(".maps");

const volatile int never;
int rounds;

static long each(unsigned int index, struct pair *pair)
{
	pair->a += bpf_subprog_scale(index, 2);
	return 0;
}

SEC("socket")
int in_callback(void *ctx)
{
	struct pair pair = { 0, 7 };

	bpf_loop(5, each, &pair, 0);
	return pair.a + pair.b;
}

SEC("socket")
int in_rcu_section(void *ctx)
{
	int result;

	bpf_rcu_read_lock();
	result = bpf_subprog_scale(4, 4);
	bpf_rcu_read_unlock();
	return result;
}

SEC("socket")
int without_preemption(void *ctx)
{
	int result;

	bpf_preempt_disable();
	result = bpf_subprog_scale(5, 5);
	bpf_preempt_enable();
	return result;
}

SEC("socket")
int in_dead_code(void *ctx)
{
	if (never)
		return bpf_subprog_scale(1, 1);
	return 9;
}

static __attribute__((noinline)) int inner(int value)
{
	return bpf_subprog_scale(value, 3) + 1;
}

__attribute__((noinline)) int outer(int value)
{
	return inner(value) + bpf_subprog_scale(value, 10);
}

SEC("socket")
int in_own_functions(void *ctx)
{
	return outer(2) + inner(3);
}

SEC("socket")
int from_two_providers(void *ctx)
{
	struct pair pair = { 6, 4 };

	mem_swap(&pair);
	return bpf_subprog_scale(pair.a, 10) + pair.b;
}

SEC("socket")
int in_a_loop(void *ctx)
{
	int i, sum = 0;

	for (i = 0; i < 100; i++)
		sum += bpf_subprog_scale(i, 2);
	return sum;
}

/* Calls itself by tail calls until the kernel's limit. */
SEC("socket")
int between_tail_calls(void *ctx)
{
	rounds += bpf_subprog_scale(1, 1);
	bpf_tail_call(ctx, &jumps, 0);
	return rounds;
}

static __attribute__((noinline)) int jump(void *ctx)
{
	rounds += bpf_subprog_scale(1, 1);
	bpf_tail_call(ctx, &jumps, 0);
	return rounds;
}

/* The same, the tail call being in a subprogram that imports. */
SEC("socket")
int below_tail_calls(void *ctx)
{
	int before = bpf_subprog_scale(3, 1);
	int result = jump(ctx);

	return before == 3 ? result : -1;
}

/* Callee-saved registers and the stack keep what they had. */
SEC("socket")
int with_much_to_keep(void *ctx)
{
	unsigned long a = bpf_get_prandom_u32(), b = a * 3, c = a * 5;
	volatile unsigned long kept[8];
	int i;

	for (i = 0; i < 8; i++)
		kept[i] = a + i;
	bpf_subprog_total();
	bpf_subprog_scale(a & 7, 2);
	if (b != a * 3 || c != a * 5)
		return 1;
	for (i = 0; i < 8; i++)
		if (kept[i] != a + i)
			return 2;
	return 33;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
