// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library of functions that use what depends on the program they are verified in; each returns 1 more than its argument. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern const int bpf_prog_active __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

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

int with_helper(int value)
{
	return value + (bpf_get_current_task() != 0);
}

int with_kfunc(int value)
{
	bpf_rcu_read_lock();
	value++;
	bpf_rcu_read_unlock();
	return value;
}

static long each(unsigned int index, int *sum)
{
	*sum += 1;
	return 0;
}

int with_callback(int value)
{
	int sum = 0;

	bpf_loop(value & 15, each, &sum, 0);
	return sum + 1;
}

int with_inner_map(int value)
{
	int key = 0;
	void *map = bpf_map_lookup_elem(&outer, &key);
	long *found = map ? bpf_map_lookup_elem(map, &key) : 0;

	if (!found)
		return -1;
	*found = value;
	return *found + 1;
}

int with_lock(int value)
{
	int key = 0;
	struct locked *found = bpf_map_lookup_elem(&locked, &key);

	if (!found)
		return -1;
	bpf_spin_lock(&found->lock);
	found->value = value + 1;
	bpf_spin_unlock(&found->lock);
	return found->value;
}

int with_kernel_variable(int value)
{
	const int *active = bpf_this_cpu_ptr(&bpf_prog_active);

	return value + 1 + (*active < 0);
}

static __attribute__((noinline)) int below(int value)
{
	return with_helper(value);
}

int with_helper_below(int value)
{
	return below(value);
}

char LICENSE[] SEC("license") = "GPL";
