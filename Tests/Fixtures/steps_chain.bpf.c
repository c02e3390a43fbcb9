// SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause
/* One object with programs of three types that share a function which is verified with each of them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "chain_body.h"
#include "chain_programs.h"

char LICENSE[] SEC("license") = "GPL";
