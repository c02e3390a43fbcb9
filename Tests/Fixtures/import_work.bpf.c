// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* A program that does not sleep, whose deferred work does, and calls an import there. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "sleepable.h"

struct bpf_wq {
	__u64 opaque[2];
} __attribute__((aligned(8)));

extern int bpf_wq_init(struct bpf_wq *wq, void *map, unsigned int flags) __ksym;
extern int bpf_wq_set_callback(struct bpf_wq *wq, int (*callback)(void *, int *, void *), unsigned int flags) __ksym;

struct work {
	struct bpf_wq wq;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct work);
} works SEC(".maps");

static int later(void *map, int *key, void *value)
{
	return count_inner(1) > 0;
}

SEC("tc")
int on_traffic(struct __sk_buff *skb)
{
	int key = 0;
	struct work *work = bpf_map_lookup_elem(&works, &key);

	if (!work || bpf_wq_init(&work->wq, &works, 0))
		return 0;
	return bpf_wq_set_callback(&work->wq, later, 0);
}

char LICENSE[] SEC("license") = "GPL";
