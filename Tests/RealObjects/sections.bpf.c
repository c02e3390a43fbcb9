// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* One program for every section of tracing that libbpf knows by its name, without looking for what it is attached to. */
#include "real.h"

#define PROGRAM(name, section)                                                                                            \
	SEC(section) int name(void *ctx) { return touch(0); }

PROGRAM(probe, "kprobe/__set_task_comm")
PROGRAM(probe_inside, "kprobe/__set_task_comm+4")
PROGRAM(probe_return, "kretprobe/__set_task_comm")
PROGRAM(probes, "kprobe.multi/bpf_prog_*")
PROGRAM(probes_return, "kretprobe.multi/bpf_prog_*")
PROGRAM(call, "ksyscall/getpid")
PROGRAM(call_return, "kretsyscall/getpid")
PROGRAM(user, "uprobe//proc/self/exe:main")
PROGRAM(user_return, "uretprobe//proc/self/exe:main")
PROGRAM(statically, "usdt//proc/self/exe:provider:name")
PROGRAM(bare_probe, "kprobe")
PROGRAM(bare_uprobe, "uprobe")
PROGRAM(traced, "tracepoint/syscalls/sys_enter_getpid")
PROGRAM(traced_short, "tp/sched/sched_switch")
PROGRAM(raw, "raw_tracepoint/sys_enter")
PROGRAM(raw_short, "raw_tp/sys_exit")
PROGRAM(sampled, "perf_event")
PROGRAM(on_request, "?raw_tp/sys_enter")
