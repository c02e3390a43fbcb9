/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
#pragma once
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
