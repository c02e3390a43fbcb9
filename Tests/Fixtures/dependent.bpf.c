// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library of functions that depend on the program they are verified in; each for one reason, which its name tells. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct bpf_dynptr;
extern const int bpf_prog_active __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern void bpf_throw(unsigned long cookie) __ksym;

struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

unsigned long long load_byte(void *skb, unsigned long long offset) asm("llvm.bpf.load.byte");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, 4);
	__uint(value_size, 4);
} jumps SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, long);
} inner SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, int);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { &inner } };

struct locked {
	struct bpf_spin_lock lock;
	long value;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct locked);
} locked SEC(".maps");

const volatile int never;

int takes_context(struct __sk_buff *skb)
{
	return skb->len;
}

int takes_dynptr(struct bpf_dynptr *data)
{
	return 1;
}

int takes_task(struct task_struct *task __attribute__((btf_decl_tag("arg:trusted"))))
{
	return 1;
}

int calls_helper(void)
{
	return bpf_get_current_task() != 0;
}

int calls_kfunc(void)
{
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	return 1;
}

static long each(unsigned int index, void *context)
{
	return 0;
}

int passes_callback(int count)
{
	return bpf_loop(count, each, 0, 0);
}

int tail_calls(struct __sk_buff *skb)
{
	bpf_tail_call(skb, &jumps, 0);
	return 1;
}

int uses_inner_map(void)
{
	int key = 0;

	return bpf_map_lookup_elem(&outer, &key) != 0;
}

int uses_locked_map(void)
{
	int key = 0;

	return bpf_map_lookup_elem(&locked, &key) != 0;
}

int loads_packet(struct __sk_buff *skb)
{
	return load_byte(skb, 0);
}

int reads_kernel_variable(void)
{
	const int *active = bpf_this_cpu_ptr(&bpf_prog_active);

	return *active;
}

static __attribute__((noinline)) int helper_below(int value)
{
	return bpf_get_current_task() == value;
}

int depends_below(int value)
{
	return helper_below(value) + 1;
}

__attribute__((noinline)) int depends_two_below(int value)
{
	return depends_below(value) + 1;
}

/* What is never reached does not count. */
int independent(int value)
{
	if (never)
		return bpf_get_current_task() == value;
	return value + 1;
}

char LICENSE[] SEC("license") = "GPL";
