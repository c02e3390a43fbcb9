// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Variables of the kernel, with their types; one of them weak and in no kernel. */
#include "real.h"

extern const struct rq runqueues __ksym;
extern const int bpf_prog_active __ksym __weak;
extern const struct rq nobody_has_this __ksym __weak;

int values;

SEC("raw_tp/sys_enter")
int on_call(void *ctx)
{
	const struct rq *queue = bpf_per_cpu_ptr(&runqueues, 0);

	if (queue)
		values = queue->cpu;
	queue = bpf_this_cpu_ptr(&runqueues);
	values += touch(queue->cpu);
	if (&bpf_prog_active)
		values++;
	if (&nobody_has_this)
		values = 0;
	return 0;
}
