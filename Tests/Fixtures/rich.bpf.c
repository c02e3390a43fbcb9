// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A library of functions that refer to everything code can refer to. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

struct task_struct {
	int pid;
	int tgid;
} __attribute__((preserve_access_index));

extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern const void bpf_prog_put __ksym __weak;
extern int LINUX_KERNEL_VERSION __kconfig;
extern _Bool CONFIG_BPF_SYSCALL __kconfig __weak;
extern int not_there(int value) __weak;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, int);
	__type(value, long);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, long);
} scratch SEC(".maps");

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

long zeroed;
long initialized = 40;
static volatile long kept_zeroed;
static volatile long kept_initialized = 4;
const volatile int constant = 7;
long placed SEC(".data.placed") = 100;
static const int table[4] = { 3, 5, 7, 11 };

int in_hash_map(int key)
{
	long one = 1, *value = bpf_map_lookup_elem(&counts, &key);

	if (!value)
		return bpf_map_update_elem(&counts, &key, &one, BPF_ANY) ?: 1;
	return ++*value;
}

int in_data(int by)
{
	int index = by & 3;

	zeroed += by;
	initialized += by;
	kept_zeroed += by;
	kept_initialized += by;
	placed += by;
	asm volatile("" : "+r"(index));
	return zeroed + initialized + kept_zeroed + kept_initialized + placed + constant + table[index & 3];
}

static long add_each(unsigned int index, void *context)
{
	zeroed += index;
	*(int *)context += index;
	return 0;
}

int in_callback(int count)
{
	int sum = 0;

	bpf_loop(count, add_each, &sum, 0);
	return sum;
}

static long count_each(void *map, const int *key, long *value, int *sum)
{
	*sum += *value;
	return 0;
}

int over_map(void)
{
	int sum = 0;

	bpf_for_each_map_elem(&counts, count_each, &sum, 0);
	return sum;
}

int in_kernel(int which)
{
	int result = 0;

	bpf_rcu_read_lock();
	if (which == 0)
		result = LINUX_KERNEL_VERSION >> 16;
	else if (which == 1)
		result = CONFIG_BPF_SYSCALL;
	else if (which == 2)
		result = &bpf_prog_put != 0;
	else
		result = bpf_core_field_offset(struct task_struct, pid) - bpf_core_field_offset(struct task_struct, tgid);
	bpf_rcu_read_unlock();
	return result;
}

int in_inner_map(int by)
{
	int key = 0;
	void *map = bpf_map_lookup_elem(&outer, &key);
	long *value = map ? bpf_map_lookup_elem(map, &key) : 0;

	return value ? *value += by : -1;
}

int with_words(int value)
{
	char words[16] = {};
	__u64 arguments[] = { value };

	bpf_snprintf(words, sizeof(words), "n=%d", arguments, sizeof(arguments));
	return words[2];
}

int length_of(struct __sk_buff *skb)
{
	return skb->len;
}

int maybe_not_there(int value)
{
	return not_there ? not_there(value) : value + 1;
}

char LICENSE[] SEC("license") = "GPL";
