/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* A timer in a map, for libraries that start it. */
#pragma once

struct clock {
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, int);
	__type(value, struct clock);
} clocks SEC(".maps");
