/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What library.bpf.c offers. An importer needs nothing but the declaration. */
#pragma once

enum kind { KIND_RENAME, KIND_SWITCH, KIND_PACKET, KIND_COUNT };

extern void bpf_subprog(int kind, unsigned long long value);

#ifdef COPY
/* The usual way, for comparison: every object carries the function itself. */
#include "library.bpf.c"
#endif
