// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* An importer of everything in rich.bpf.c, with things of its own by the same names. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

extern int in_hash_map(int key);
extern int in_data(int by);
extern int in_callback(int count);
extern int over_map(void);
extern int in_kernel(int which);
extern int in_inner_map(int by);
extern int with_words(int value);
extern int length_of(struct __sk_buff *skb);
extern int maybe_not_there(int value);
extern int LINUX_KERNEL_VERSION __kconfig;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, int);
} counts SEC(".maps");

long zeroed;
long initialized = 1000;
static volatile long kept_zeroed;
const volatile int constant = 70;

static __attribute__((noinline)) long add_each(int value)
{
	zeroed += value;
	initialized += value;
	kept_zeroed += value;
	return zeroed + initialized + kept_zeroed + constant;
}

SEC("tc")
int hash_map(struct __sk_buff *skb)
{
	int key = 0, *own = bpf_map_lookup_elem(&counts, &key);

	if (own)
		*own += 1;
	return in_hash_map(5) * 10 + (own ? *own : 0);
}

SEC("tc")
int data(struct __sk_buff *skb)
{
	return in_data(2) + add_each(1) * 1000;
}

SEC("tc")
int callback(struct __sk_buff *skb)
{
	return in_callback(5);
}

SEC("tc")
int over(struct __sk_buff *skb)
{
	return over_map();
}

SEC("tc")
int kernel(struct __sk_buff *skb)
{
	return (in_kernel(0) == LINUX_KERNEL_VERSION >> 16) + in_kernel(1) * 10 + in_kernel(2) * 100 + (in_kernel(3) == -4) * 1000;
}

SEC("tc")
int inner(struct __sk_buff *skb)
{
	return in_inner_map(3);
}

SEC("tc")
int words(struct __sk_buff *skb)
{
	return with_words(8);
}

SEC("tc")
int length(struct __sk_buff *skb)
{
	return length_of(skb);
}

SEC("tc")
int maybe(struct __sk_buff *skb)
{
	return maybe_not_there(1);
}

char LICENSE[] SEC("license") = "GPL";
