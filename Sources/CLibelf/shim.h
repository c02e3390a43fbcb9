/* SPDX-License-Identifier: LGPL-2.1-only OR BSD-2-Clause */
#pragma once
#include <elf.h>
#include <gelf.h>
#include <libelf.h>
