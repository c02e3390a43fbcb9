// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/*
 * A function that trusts its callers: `kind` says which of the contexts is there, and nothing is tested for NULL. So it is verified
 * together with each program that calls it. The programs of one type pass the same, and run the same code.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpflink.h>
#include "contexts.h"

enum kind { KIND_RENAME = 1, KIND_SWITCH, KIND_PACKET, KIND_COUNT };

long trusted[KIND_COUNT];

__bpf_chain void bpf_subprog(int kind, struct pt_regs *ctx1, struct sched_switch_args *ctx2, struct __sk_buff *ctx3)
{
	if (kind == KIND_RENAME)
		trusted[kind] += ctx1->di != 0; /* the task that is renamed */
	if (kind == KIND_SWITCH)
		trusted[kind] += ctx2->prev_pid != ctx2->next_pid;
	if (kind == KIND_PACKET)
		trusted[kind] += ctx3->len > 0;
}

#define PROGRAMS(section, name, context, result, ...)	\
	SEC(section) int name(context)			\
	{						\
		bpf_subprog(__VA_ARGS__);		\
		return result;				\
	}						\
	SEC(section) int name##_too(context)		\
	{						\
		bpf_subprog(__VA_ARGS__);		\
		return result;				\
	}

PROGRAMS("kprobe/__set_task_comm", on_rename, struct pt_regs *ctx, 0, KIND_RENAME, ctx, NULL, NULL)
PROGRAMS("tracepoint/sched/sched_switch", on_switch, struct sched_switch_args *ctx, 0, KIND_SWITCH, NULL, ctx, NULL)
PROGRAMS("cgroup_skb/ingress", on_packet, struct __sk_buff *ctx, 1, KIND_PACKET, NULL, NULL, ctx)

/* Says that it has the context of a kprobe, and passes none. Loaded only if it is asked for. */
SEC("?tracepoint/sched/sched_switch")
int wrong(struct sched_switch_args *ctx)
{
	bpf_subprog(KIND_RENAME, NULL, ctx, NULL);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
