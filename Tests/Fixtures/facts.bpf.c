// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

/* What functions use: stack, context, helpers, maps, each other. */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__type(key, long);
	__type(value, long);
} seen SEC(".maps");

struct guarded {
	struct bpf_spin_lock lock;
	long count;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct guarded);
} locked SEC(".maps");

long total;

/* 200 bytes that the compiler cannot keep in registers. */
__noinline long uses_stack(long key)
{
	long words[25] = {};

	words[key & 15] = key;
	bpf_map_update_elem(&seen, &words[0], &words[1], BPF_ANY);
	return words[key & 7];
}

long uses_locked(int key)
{
	struct guarded *found = bpf_map_lookup_elem(&locked, &key);

	return found ? found->count : 0;
}

/* Three frames of 200 bytes: more than a program has. */
long uses_much_more(long key);

static __noinline long uses_more(long key)
{
	long words[25] = {};

	words[key & 15] = uses_stack(key);
	bpf_map_update_elem(&seen, &words[0], &words[1], BPF_ANY);
	return words[key & 7];
}

long uses_much_more(long key)
{
	long words[25] = {};

	words[key & 15] = uses_more(key);
	bpf_map_update_elem(&seen, &words[0], &words[1], BPF_ANY);
	return words[key & 7];
}

__noinline int length(struct __sk_buff *skb)
{
	return skb->len;
}

SEC("tc")
int marks(struct __sk_buff *skb)
{
	skb->mark = 1;
	return 0;
}

/* Its context goes to a helper, from the stack or a saved register. */
SEC("tc")
int measures(struct __sk_buff *skb)
{
	char first = 0;

	total += bpf_get_prandom_u32();
	bpf_skb_load_bytes(skb, 0, &first, 1);
	return first + length(skb);
}

SEC("tc")
int ignores(struct __sk_buff *skb)
{
	return bpf_get_prandom_u32();
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
