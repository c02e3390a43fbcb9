/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
/*
 * What the objects of this directory have in common. Each is made twice: as it is, and with IMPORTING, where every program
 * calls a function of another program, too.
 */
#pragma once
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#ifdef IMPORTING
extern int touch(int value);
#else
static __always_inline int touch(int value) { return value; }
#endif

char LICENSE[] SEC("license") = "GPL";
