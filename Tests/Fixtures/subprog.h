/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What subprog.bpf.c offers, for its importers. */
#pragma once

enum kind { KIND_KPROBE = 1, KIND_TRACEPOINT, KIND_PACKET, KIND_COUNT };

struct event {
	int weight;
	long stamp;
};

#ifndef SUBPROG_ITSELF
extern int bpf_subprog(int kind, const struct event *event);
extern unsigned long bpf_subprog_total(void);
extern int bpf_subprog_scale(int value, unsigned short factor);
#endif
