// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Programs whose section names stand for a kernel type or for flags, which a loader has to look up. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("tp_btf/sys_enter")
int on_typed_call(void *ctx)
{
	return 0;
}

SEC("iter/task")
int each_task(void *ctx)
{
	return 0;
}

SEC("syscall")
int sleepable(void *ctx)
{
	return 0;
}

SEC("xdp.frags")
int with_fragments(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
