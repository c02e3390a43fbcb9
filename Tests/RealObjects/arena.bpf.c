// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* Memory that programs and processes have in common. */
#include "real.h"

#ifdef __BPF_FEATURE_ADDR_SPACE_CAST
#define __arena __attribute__((address_space(1)))
#else
#define __arena
#endif

struct {
	__uint(type, 33); /* BPF_MAP_TYPE_ARENA, for whose kernel has no name for it */
	__uint(map_flags, 1024); /* BPF_F_MMAPABLE */
	__uint(max_entries, 10);
	__uint(map_extra, 0x10000000);
} arena SEC(".maps");

extern void __arena *bpf_arena_alloc_pages(void *map, void __arena *at, __u32 pages, int node, __u64 flags) __ksym;

SEC("syscall")
int fill(void *ctx)
{
	int __arena *page = bpf_arena_alloc_pages(&arena, 0, 1, -1, 0);

	if (!page)
		return touch(1);
#ifdef __BPF_FEATURE_ADDR_SPACE_CAST
	*page = 42;
#endif
	return touch(0);
}
