/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/* What sleepable.bpf.c and inner.bpf.c offer. */
#pragma once

#ifndef SLEEPABLE_ITSELF
extern long user_word(unsigned long address);
extern long count_inner(long weight);
#endif
