/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What partly.bpf.c and its importers have in common. */
#pragma once

struct pair {
	int first;
	int second;
};
