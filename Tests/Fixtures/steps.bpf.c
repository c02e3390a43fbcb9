// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Programs of six types that have functions in common: some can be loaded once for all of them, some cannot. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define __global __attribute__((noinline))
#define __kept static __attribute__((noinline))

struct pt_regs;

enum place { TASK, SCHEDULER, XDP, TC, CGROUP, SLEEPABLE, PLACES };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PLACES);
	__type(key, int);
	__type(value, long);
} counts SEC(".maps");

long total;
const volatile int step = 1;

/* Part of what is shared: only `record` calls it. */
__kept long add(int place, int weight)
{
	long *count = bpf_map_lookup_elem(&counts, &place);

	if (!count)
		return 0;
	__sync_fetch_and_add(count, weight);
	return *count;
}

/* Shared. */
__global int record(int place, int weight)
{
	__sync_fetch_and_add(&total, 1);
	return add(place, weight * step) > 0;
}

/* Shared, and a caller of what is shared. */
__global int record_twice(int place)
{
	return record(place, 1) + record(place, 1);
}

/* In a copy per program, which imports what it calls. */
__kept int record_packet(int place, int length)
{
	return record(place, length > 0);
}

__hidden __global int clamp(int value)
{
	return value < 0 ? 0 : value;
}

/* Shared by the programs that have such a context. */
__global int length(struct __sk_buff *skb)
{
	return skb->len;
}

__kept long visit(__u32 index, void *ctx)
{
	return record(*(int *)ctx, 1) > 1;
}

/* Shared with its callback. */
__global int record_often(int place)
{
	return bpf_loop(2, visit, &place, 0);
}

/* Of one program only. */
__global int weight_of(int pid)
{
	return pid > 1 ? 1 : 2;
}

SEC("kprobe/__set_task_comm")
int on_rename(struct pt_regs *ctx)
{
	record(TASK, weight_of(bpf_get_current_pid_tgid() >> 32));
	return 0;
}

SEC("tracepoint/sched/sched_switch")
int on_switch(void *ctx)
{
	record(SCHEDULER, clamp(1));
	return 0;
}

SEC("xdp")
int on_frame(struct xdp_md *ctx)
{
	record_twice(XDP);
	record_often(XDP);
	return XDP_PASS;
}

SEC("tc")
int on_queue(struct __sk_buff *skb)
{
	record_packet(TC, length(skb));
	record_twice(TC);
	record_often(TC);
	return clamp(0);
}

SEC("cgroup_skb/ingress")
int on_arrival(struct __sk_buff *skb)
{
	record_packet(CGROUP, length(skb));
	return 1;
}

/* Loaded when it is asked for: of a kind that may sleep. */
SEC("?uprobe.s")
int on_user(struct pt_regs *ctx)
{
	record_twice(SLEEPABLE);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
