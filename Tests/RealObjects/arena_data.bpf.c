// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Global variables in memory that programs and processes have in common: a section that libbpf knows from 1.4 on. */
#include "real.h"

struct {
	__uint(type, 33);
	__uint(map_flags, 1024);
	__uint(max_entries, 10);
} arena SEC(".maps");

#ifdef __BPF_FEATURE_ADDR_SPACE_CAST
int __attribute__((address_space(1))) shared = 7;
#else
int shared SEC(".addr_space.1") = 7;
#endif

SEC("syscall")
int fill(void *ctx)
{
#ifdef __BPF_FEATURE_ADDR_SPACE_CAST
	shared = 42;
#endif
	return touch((long)&arena != 0);
}
